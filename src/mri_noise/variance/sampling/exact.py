"""Exact variances from every row of the Jacobian."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import GridImage, GridMap
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import CHANNELS, Channel, ChannelVariance, VarianceEstimate, unit_phase
from mri_noise.variance.linearise.point import OperatingPoint, batch_size, exact_noise_jacobian
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan


class Exact(VarianceMethod):
    """Every row of the Jacobian: exact to first order, two adjoint products a voxel, for small images."""

    title: ClassVar[str] = "exact, every voxel"
    expert: ClassVar[frozenset[str]] = frozenset({"batch"})
    sample_name: ClassVar[str] = "voxels"
    channels: ClassVar[tuple[Channel, ...]] = CHANNELS
    kind: Literal["exact"] = "exact"
    batch: int | None = Field(None, ge=1, description="Rows computed at once; none: what suits the device")
    max_voxels: int = Field(16384, ge=1, description="Larger images are refused, since each voxel costs two products")

    def __call__(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None = None
    ) -> Iterator[VarianceEstimate]:
        """Complete the variance row by row; voxels still to come are NaN.

        Raises
        ------
        ValueError
            If the image has more voxels than allowed.
        """
        refused = self.supports(point)
        if refused is not None:
            raise ValueError(refused)
        chunk = batch_size(self.batch, point)
        return exact(exact_noise_jacobian(point, chunk=chunk), point.direction, chunk=chunk)

    def supports(self, point: OperatingPoint) -> str | None:
        if point.image.numel() <= self.max_voxels:
            return None
        return (
            f"the exact variance of {point.image.numel()} voxels needs twice as many adjoint products, "
            f"more than variance.max_voxels = {self.max_voxels} allows; "
            "use variance.kind=sketch, or raise the limit"
        )


def exact(operator: LinearOperator, image: GridImage, *, chunk: int) -> Iterator[VarianceEstimate]:
    """Var(Re <w, x>) = |B^T w|^2 / 2 for w = e_i and i e_i of every voxel i; the magnitude is a mixture of the two."""
    phase = unit_phase(image).flatten()
    variances = image.new_full((3, image.numel()), torch.nan, dtype=torch.float64)
    for voxels in torch.split(torch.arange(image.numel()), chunk):
        real, imaginary = _rows(operator, voxels, image)
        cosine, sine = (part[:, None] for part in (phase[voxels].real, phase[voxels].imag))
        along = cosine * real + sine * imaginary
        for channel, rows in enumerate((real, imaginary, along)):
            variances[channel, voxels] = rows.abs().double().square().sum(-1) / 2
        yield _exact_estimate(variances.clone().unflatten(1, image.shape), int(voxels[-1]) + 1)


def _rows(operator: LinearOperator, voxels: Tensor, image: GridImage) -> tuple[Tensor, Tensor]:
    """B^T e_i and B^T (i e_i), each of shape (voxels, size of the noise)."""
    units = image.new_zeros(len(voxels), image.numel())
    units[torch.arange(len(voxels)), voxels] = 1
    units = units.unflatten(1, image.shape)
    rows = operator.adjoint(torch.cat([units, 1j * units])).flatten(1)
    return rows[: len(voxels)], rows[len(voxels) :]


def _exact_estimate(variances: Float[Tensor, "3 *grid"], n_voxels: int) -> VarianceEstimate:
    real, imaginary, magnitude = variances
    zero = torch.zeros_like(real)
    found: dict[Channel, GridMap] = {
        "magnitude": magnitude,
        "complex": real + imaginary,
        "real": real,
        "imaginary": imaginary,
    }
    return VarianceEstimate(
        {channel: ChannelVariance(variance, zero) for channel, variance in found.items()},
        n_samples=n_voxels,
        n_evaluations=2 * n_voxels,
        n_total=real.numel(),
    )


def covariance(
    operator: LinearOperator, image: GridImage, *, chunk: int = 64
) -> Float[Tensor, "twice_voxels twice_voxels"]:
    """Dense noise covariance of (real parts, imaginary parts) of all voxels: B B^T / 2, for tiny images.

    Raises
    ------
    ValueError
        If the image has more than 4096 voxels: the matrix would not fit in memory.
    """
    if image.numel() > 4096:
        raise ValueError(f"a dense covariance is for at most 4096 voxels, got {image.numel()}; use voxel_covariance")
    parts = [_rows(operator, voxels, image) for voxels in torch.split(torch.arange(image.numel()), chunk)]
    rows = torch.cat([torch.cat(side) for side in zip(*parts, strict=True)])
    return (rows.conj() @ rows.mT).real / 2
