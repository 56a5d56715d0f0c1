"""Rows of the covariance of the magnitude: exact, one adjoint and one forward product each."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mri_noise.arrays import GridImage, GridMask
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import unit_phase


@dataclass(frozen=True, slots=True)
class Rows:
    """Covariances of the magnitude of some voxels with that of every other.

    Attributes
    ----------
    voxels : shape (voxels, axes)
        Their places along each spatial axis: (row, column) in a slice.
    covariance : shape (voxels, *grid), in the image's units squared
    """

    voxels: Int[Tensor, "voxels axes"]
    covariance: Float[Tensor, "voxels *grid"]

    @property
    def variance(self) -> Float[Tensor, " voxels"]:
        """Of the voxels themselves."""
        return self.covariance[(torch.arange(len(self.voxels)), *self.voxels.unbind(1))]


def covariance_rows(
    operator: LinearOperator, image: GridImage, voxels: Int[Tensor, "voxels axes"], *, chunk: int
) -> Rows:
    """Compute rows K_i. = Re(exp(-i phi) B B^T w_i) / 2 with w_i = exp(i phi_i) e_i."""
    return Rows(voxels, along_phase(operator, image, voxels, chunk=chunk).real.double() / 2)


def along_phase(
    operator: LinearOperator, image: GridImage, voxels: Int[Tensor, "voxels axes"], *, chunk: int, turned: bool = False
) -> Complex[Tensor, "voxels *grid"]:
    """exp(-i phi) B B^T w_i with w_i = exp(i phi_i) e_i, or turned by a quarter: i exp(i phi_i) e_i."""
    phase = unit_phase(image)
    rows = []
    for part in torch.split(voxels, chunk):
        weights = weighted_voxels(phase, part)
        rows.append(phase.conj() * operator(operator.adjoint(1j * weights if turned else weights)))
    return torch.cat(rows)


def weighted_voxels(phase: GridImage, voxels: Int[Tensor, "voxels axes"]) -> Complex[Tensor, "voxels *grid"]:
    """exp(i phi_i) e_i for each of some voxels i."""
    places = voxels.unbind(1)
    weights = phase.new_zeros(len(voxels), *phase.shape)
    weights[(torch.arange(len(voxels)), *places)] = phase[places]
    return weights


def random_voxels(region: GridMask, n_voxels: int, generator: torch.Generator) -> Int[Tensor, "voxels axes"]:
    """Draw voxels of a region without replacement: all of them if it has no more.

    Raises
    ------
    ValueError
        If the region is empty.
    """
    voxels = torch.nonzero(region.cpu())
    if len(voxels) == 0:
        raise ValueError("there is no voxel whose noise could be computed: the object is empty; lower object.threshold")
    return voxels[torch.randperm(len(voxels), generator=generator)[:n_voxels]]
