"""Rows of the covariance of the magnitude: exact, one adjoint and one forward product each."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mri_noise.arrays import Image, Mask
from mri_noise.linop import LinearOperator
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.lattice import Density


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


def error_density(rows: Rows, region: Mask) -> Density:
    """What each displacement adds to the squared NRMSE of the magnitude's std map if a probe holds both of its ends.

    sum_i (K_{i, i+d}^2 / V_i) / (4 sum_i V_i) over the voxels i of the rows: the error of sigma is that of V over
    2 sigma, and random signs add the squares of the covariances that a probe does not separate.
    """
    return density_of(rows.voxels, rows.covariance.square(), rows.variance, region)


def density_of(
    voxels: Int[Tensor, "voxels 2"],
    squares: Float[Tensor, "voxels rows columns"],
    variance: Float[Tensor, " voxels"],
    region: Mask,
) -> Density:
    """sum_i (S_{i, i+d} / V_i) / (4 sum_i V_i) over voxels i, for i + d inside a region."""
    inside = region.cpu().numpy()
    density = np.zeros((2 * inside.shape[0] - 1, 2 * inside.shape[1] - 1))
    for (y, x), scale, row in zip(voxels.tolist(), variance.tolist(), squares.cpu().numpy(), strict=True):
        if scale > 0:
            seen_from(density, y, x)[:] += inside * row / scale
    return density / (4 * max(float(variance.sum()), np.finfo(float).tiny))


def seen_from(density: Density, y: int, x: int) -> Density:
    """The part of an array over displacements d that holds those from a voxel (y, x) to every voxel, as a view."""
    n_rows, n_columns = (n // 2 + 1 for n in density.shape)
    return density[n_rows - 1 - y : 2 * n_rows - 1 - y, n_columns - 1 - x : 2 * n_columns - 1 - x]
