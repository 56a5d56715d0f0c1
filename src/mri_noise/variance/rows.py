"""Rows of the covariance of the magnitude: exact, one adjoint and one forward product each."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mri_noise.arrays import Image, Mask
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import unit_phase


@dataclass(frozen=True, slots=True)
class Rows:
    """Covariances of the magnitude of some voxels with that of every other.

    Attributes
    ----------
    voxels : shape (voxels, 2)
        As (row, column).
    covariance : shape (voxels, rows, columns), in the image's units squared
    """

    voxels: Int[Tensor, "voxels 2"]
    covariance: Float[Tensor, "voxels rows columns"]

    @property
    def variance(self) -> Float[Tensor, " voxels"]:
        """Of the voxels themselves."""
        return self.covariance[torch.arange(len(self.voxels)), self.voxels[:, 0], self.voxels[:, 1]]


def covariance_rows(operator: LinearOperator, image: Image, voxels: Int[Tensor, "voxels 2"], *, chunk: int) -> Rows:
    """Compute rows K_i. = Re(exp(-i phi) B B^T w_i) / 2 with w_i = exp(i phi_i) e_i."""
    return Rows(voxels, along_phase(operator, image, voxels, chunk=chunk).real.double() / 2)


def along_phase(
    operator: LinearOperator, image: Image, voxels: Int[Tensor, "voxels 2"], *, chunk: int, turned: bool = False
) -> Complex[Tensor, "voxels rows columns"]:
    """exp(-i phi) B B^T w_i with w_i = exp(i phi_i) e_i, or turned by a quarter: i exp(i phi_i) e_i."""
    phase = unit_phase(image)
    rows = []
    for part in torch.split(voxels, chunk):
        weights = weighted_voxels(phase, part)
        rows.append(phase.conj() * operator(operator.adjoint(1j * weights if turned else weights)))
    return torch.cat(rows)


def weighted_voxels(phase: Image, voxels: Int[Tensor, "voxels 2"]) -> Complex[Tensor, "voxels rows columns"]:
    """exp(i phi_i) e_i for each of some voxels i."""
    each = torch.arange(len(voxels))
    weights = phase.new_zeros(len(voxels), *phase.shape)
    weights[each, voxels[:, 0], voxels[:, 1]] = phase[voxels[:, 0], voxels[:, 1]]
    return weights


def random_voxels(region: Mask, n_voxels: int, generator: torch.Generator) -> Int[Tensor, "voxels 2"]:
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
