"""The end-to-end variational network, with the parameter names and shapes of fastMRI's published weights.

Source: Sriram 2020, doi:10.48550/arXiv.2004.06688.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.fft import fft2, fftshift, ifft2, ifftshift

from mri_noise.arrays import Image, KSpace, Mask, Samples
from mri_noise.operators.cartesian import require_cartesian
from mri_noise.operators.encoding import Encoding
from mri_noise.operators.fourier import centered_ifft
from mri_noise.operators.point_spread import undersampled_axes
from mri_noise.operators.replay import Coefficients, Step, Tangent, root_sum_of_squares
from mri_noise.recon.blocks.fastmri_unet import NormUNet, seeded
from mri_noise.recon.blocks.primitives import multiply
from mri_noise.recon.reconstruction import NetworkSettings

_AXES = (-2, -1)


class VarNetSettings(NetworkSettings):
    """The end-to-end variational network, which learns its own coil sensitivities."""

    title: ClassVar[str] = "VarNet, random weights"
    offered: ClassVar[bool] = False

    kind: Literal["varnet"] = "varnet"
    n_cascades: int = Field(12, ge=1, description="Number of unrolled steps")
    n_channels: int = Field(18, ge=1, description="Channels of each step's U-Net at full resolution")
    n_pools: int = Field(4, ge=1, description="Poolings of each step's U-Net")
    sensitivity_n_channels: int = Field(8, ge=1, description="Channels of the sensitivity U-Net at full resolution")
    sensitivity_n_pools: int = Field(4, ge=1, description="Poolings of the sensitivity U-Net")
    combination: Literal["rss", "sense"] = Field(
        "rss", description="rss: magnitude, as published; sense: complex image, combined with the learned maps"
    )
    sensitivity: Literal["predicted", "refined"] = Field(
        "predicted",
        description="Coil maps from the U-Net, as published, or from the coil images and its corrections",
    )
    initial_gain: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Factor on the U-Nets' last layers; a small one starts near zero-filled images",
    )
    seed: int = Field(0, ge=0, description="Seed of the initial weights")

    def __call__(self) -> "VarNet":
        """Return the network with its initial weights."""
        with seeded(self.seed):
            return VarNet(self)


class VarNet(nn.Module):
    """Unrolled gradient descent on k-space with a learned sensitivity map for each coil.

    Uses k-space and the mask of the encoding; its coil maps play no part.
    """

    replayable = True

    def __init__(self, settings: VarNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.sens_net = SensitivityNetwork(
            settings.sensitivity_n_channels, settings.sensitivity_n_pools, refines=settings.sensitivity == "refined"
        )
        cascades = [Cascade(settings.n_channels, settings.n_pools) for _ in range(settings.n_cascades)]
        self.cascades = nn.ModuleList(cascades)
        for network in (self.sens_net.norm_unet, *(cascade.model for cascade in cascades)):
            network.scale_last_layer(settings.initial_gain)

    def forward(self, kspace: Samples, encoding: Encoding) -> Image:
        """Reconstruct k-space of any leading axes, each independently; TypeError if it is not Cartesian."""
        predicted, coil_maps = self._predict(kspace, encoding)
        return fftshift(self._combine(ifft2(predicted, norm="ortho"), coil_maps), dim=_AXES)

    def predict_kspace(self, kspace: Samples, encoding: Encoding) -> KSpace:
        """Return all of k-space as the last cascade leaves it, before its coil images are combined."""
        predicted, _ = self._predict(kspace, encoding)
        return fftshift(predicted, dim=_AXES)

    def _predict(self, kspace: Samples, encoding: Encoding) -> tuple[KSpace, KSpace]:
        """Predict k-space and coil maps, both corner-centred, so that the cascades shift only the combined image."""
        sampled = require_cartesian(encoding, "the end-to-end variational network").mask
        coil_maps = ifftshift(self.sens_net(kspace, sampled), dim=_AXES)
        measured, mask = ifftshift(kspace, dim=_AXES), ifftshift(sampled, dim=_AXES)
        predicted = measured
        for cascade in self.cascades:
            predicted = cascade(predicted, measured, mask, coil_maps)
        return predicted, coil_maps

    def _combine(self, coil_images: Tensor, coil_maps: Tensor) -> Image:
        if self.settings.combination == "sense":
            return combine_coils(coil_images, coil_maps)
        return root_sum_of_squares(coil_images, dim=-3).squeeze(-3).to(coil_images.dtype)


class SensitivityNetwork(nn.Module):
    """Coil maps from the fully sampled centre of k-space: its coil images x, each through one U-Net, of unit norm.

    A network that refines adds U(x) to x, which has the maps' phases already (Roemer 1990,
    doi:10.1002/mrm.1910160203): a short training need not find them first.
    """

    def __init__(self, n_channels: int, n_pools: int, *, refines: bool = False) -> None:
        super().__init__()
        self.norm_unet = NormUNet(n_channels, n_pools)
        self.refines = refines

    def forward(self, kspace: KSpace, mask: Mask) -> KSpace:
        """Estimate maps of k-space's shape."""
        centre = centered_ifft(kspace * sampled_centre(mask))
        corrected = self.norm_unet(centre)
        return unit_norm(centre + corrected if self.refines else corrected, dim=-3)


class Cascade(nn.Module):
    """One unrolled step: k - w M (k - y) - F S U(S^H F^H k), with a learned weight w."""

    def __init__(self, n_channels: int, n_pools: int) -> None:
        super().__init__()
        self.model = NormUNet(n_channels, n_pools)
        self.dc_weight = nn.Parameter(torch.ones(1))

    def forward(self, kspace: KSpace, measured: KSpace, mask: Mask, coil_maps: KSpace) -> KSpace:
        """Update corner-centred k-space; the coil maps, which depend on the data, have its shape."""
        consistency = (kspace - measured) * (self.dc_weight * mask)
        image = combine_coils(ifft2(kspace, norm="ortho"), coil_maps)
        refined = ifftshift(self.model(fftshift(image, dim=_AXES)), dim=_AXES)
        return kspace - consistency - fft2(multiply(coil_maps, refined.unsqueeze(-3)), norm="ortho")


def combine_coils(coil_images: Tensor, coil_maps: Tensor) -> Tensor:
    """Combine coil images by maps that depend on the data: sum over coils of conj(S_c) x_c."""
    return multiply(coil_images, coil_maps.conj()).sum(-3)


@Step
def unit_norm(x: Tensor, *, dim: int) -> Tensor:
    """Divide by the root sum of squares along a negative axis; zero where that is zero."""
    return x * _inverse_norm(x, dim)


@unit_norm.derivative
def _(x: Tensor, *, dim: int) -> Tangent:
    inverse = _inverse_norm(x, dim)
    unit = x * inverse
    return _UnitNormTangent(inverse, unit, unit * inverse, dim)


@dataclass(frozen=True)
class _UnitNormTangent(Coefficients):
    """dx -> dx / |x| - u / |x| Re <u, dx> with u = x / |x|; means over points leave out how u varies with u / |x|."""

    averaged: ClassVar[tuple[str, ...]] = ("inverse", "unit", "scaled")
    inverse: Tensor
    unit: Tensor
    scaled: Tensor
    dim: int

    def __call__(self, dx: Tensor) -> Tensor:
        return dx * self.inverse - self.scaled * (self.unit.conj() * dx).real.sum(self.dim, keepdim=True)


def _inverse_norm(x: Tensor, dim: int) -> Tensor:
    energy = (x.real.square() + x.imag.square()).sum(dim, keepdim=True)
    empty = energy == 0
    return torch.where(empty, 0, torch.rsqrt(torch.where(empty, 1, energy)))


def sampled_centre(mask: Mask) -> Mask:
    """Find the fully sampled centre of k-space, from which sensitivities are estimated.

    Along each axis the mask varies along, the central lines are counted on the line through the centre of k-space as
    fastMRI counts them: twice the sampled run on the shorter side of the centre, and at least one. An axis it does
    not vary along (a readout) is kept whole, and so is k-space that is fully sampled, for which the counting of
    fastMRI would find a single line.
    """
    row, column = (n // 2 for n in mask.shape)
    axes = undersampled_axes(mask)
    rows = _central_lines(mask[:, column]) if -2 in axes else torch.ones_like(mask[:, 0])
    columns = _central_lines(mask[row]) if -1 in axes else torch.ones_like(mask[0])
    return rows[:, None] & columns


def _central_lines(sampled: Tensor) -> Tensor:
    n_lines = len(sampled)
    below, above = sampled[: n_lines // 2].flip(0), sampled[n_lines // 2 :]
    shorter = min(int(side.cumprod(0).sum()) for side in (below, above))
    n_central = max(2 * shorter, 1)
    first = (n_lines - n_central + 1) // 2
    index = torch.arange(n_lines, device=sampled.device)
    return (index >= first) & (index < first + n_central)
