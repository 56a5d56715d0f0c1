"""A variational network of the image, trained end to end with a network that corrects its coil maps."""

import weakref
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from mri_noise.arrays import Image, KSpace, Samples
from mri_noise.operators.cartesian import CartesianEncoding, require_cartesian
from mri_noise.operators.encoding import Encoding
from mri_noise.operators.fourier import centered_fft
from mri_noise.operators.replay import constant
from mri_noise.recon.blocks.denoiser import NOddSteps
from mri_noise.recon.blocks.fastmri_unet import UNet, seeded
from mri_noise.recon.blocks.gradient_steps import NFinalSteps
from mri_noise.recon.blocks.multiscale import WIDTHS, Widths
from mri_noise.recon.blocks.primitives import to_channels, to_complex
from mri_noise.recon.blocks.scale import Scale
from mri_noise.recon.networks.unrolled import Unrolled, UnrolledSettings
from mri_noise.recon.networks.varnet import unit_norm
from mri_noise.recon.reconstruction import NetworkSettings

_INITIAL_GAIN = 0.1
"""Factor on the last layer of the map network, which then corrects little."""


class ImageVarNetSettings(NetworkSettings):
    """A variational network of the image, trained end to end with corrections of the coil maps."""

    title: ClassVar[str] = "image VarNet, random weights"
    offered: ClassVar[bool] = False

    kind: Literal["varnet-image"] = "varnet-image"
    n_cascades: int = Field(6, ge=1, description="Number of unrolled steps")
    n_gradient_steps: int = Field(2, ge=1, description="Gradient steps before each network, with momentum among them")
    n_odd_steps: NOddSteps = 0
    n_final_steps: NFinalSteps = 0
    widths: Widths = WIDTHS
    sensitivity_n_channels: int = Field(4, ge=1, description="Channels of the map network at full resolution")
    sensitivity_n_pools: int = Field(3, ge=1, description="Poolings of the map network")
    scale: Scale = Field("percentile", description="What of the zero-filled image is scaled to one before the network")
    seed: int = Field(0, ge=0, description="Seed of the initial weights")

    def __call__(self) -> "ImageVarNet":
        """Return the network with its initial weights."""
        with seeded(self.seed):
            return ImageVarNet(self)


class _Kept(NamedTuple):
    """An encoding, the weights that corrected its maps, and what they made of it."""

    encoding: weakref.ref[Encoding]
    versions: tuple[Any, ...]
    corrected: CartesianEncoding


class ImageVarNet(nn.Module):
    """Unrolled gradient descent with maps S + U(S) of unit norm, with a U-Net U and the encoding's maps S.

    The end-to-end variational network finds its maps in the few central lines of k-space alone; here its map network
    begins with calibrated ones, and its cascades act on the combined image. The maps depend on nothing else of the
    data, and are constants of the Jacobian as those of the encoding are.

    Source: Sriram 2020, doi:10.48550/arXiv.2004.06688, of which this is a variant.
    """

    replayable = True

    def __init__(self, settings: ImageVarNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self._kept: _Kept | None = None
        self.map_network = UNet(2, 2, settings.sensitivity_n_channels, settings.sensitivity_n_pools)
        self.map_network.scale_last_layer(_INITIAL_GAIN)
        self.cascades = Unrolled(
            UnrolledSettings(
                n_steps=settings.n_cascades,
                n_gradient_steps=settings.n_gradient_steps,
                n_odd_steps=settings.n_odd_steps,
                n_final_steps=settings.n_final_steps,
                denoiser="multiscale",
                widths=settings.widths,
                scale=settings.scale,
                seed=settings.seed,
            )
        )

    def forward(self, kspace: Samples, encoding: Encoding) -> Image:
        """Reconstruct k-space of any leading axes, each independently; TypeError if it is not Cartesian."""
        image: Image = self.cascades(kspace, self._corrected(encoding))
        return image

    def predict_kspace(self, kspace: Samples, encoding: Encoding) -> KSpace:
        """Return all of k-space, F S x for the image x and the corrected maps S."""
        corrected = self._corrected(encoding)
        image = self.cascades(kspace, corrected)
        return centered_fft(corrected.coil_maps * image.unsqueeze(-3))

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what was learned, not the maps that are kept."""
        return {**self.__dict__, "_kept": None}

    def _corrected(self, encoding: Encoding) -> CartesianEncoding:
        """The encoding with corrected maps; while weights are frozen, those of the latest one are kept."""
        weights = list(self.map_network.parameters())
        if self.training or any(weight.requires_grad for weight in weights):
            return self._with_corrected_maps(encoding)
        versions = tuple(weight._version for weight in weights), weights[0].dtype, weights[0].device
        kept = self._kept
        if kept is None or kept.encoding() is not encoding or kept.versions != versions:
            kept = _Kept(weakref.ref(encoding), versions, self._with_corrected_maps(encoding))
            self._kept = kept
        return kept.corrected

    def _with_corrected_maps(self, encoding: Encoding) -> CartesianEncoding:
        calibrated = require_cartesian(encoding, "the variational network of the image")
        with constant():
            return replace(calibrated, coil_maps=self._correct(calibrated))

    def _correct(self, encoding: CartesianEncoding) -> Tensor:
        """Correct the maps where they are known, at the sum of squares that they have."""
        maps, size = encoding.coil_maps, encoding.coil_power.sqrt().unsqueeze(-3)
        correction = to_complex(self.map_network(to_channels(maps)), maps)
        return unit_norm(maps + torch.where(maps != 0, correction, 0), dim=-3) * size
