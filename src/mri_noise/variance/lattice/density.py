"""What each displacement adds to the error of a map: densities, from rows and from bundles of rows."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from mri_noise.arrays import Mask
from mri_noise.variance.calibration import DENSITY_ITERATIONS, DENSITY_NEAR, DENSITY_WIDTH
from mri_noise.variance.lattice.bundles import Bundle
from mri_noise.variance.lattice.search import Density
from mri_noise.variance.rows import Rows

_FLOOR = 1e-6


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


def bundled_density(bundles: Sequence[Bundle], region: Mask) -> Density:
    """Estimate :func:`error_density` of the voxels of some bundles.

    The energy of a voxel j is shared among the pilots k of its bundle, in proportion to V_k w(j - k), with the
    density w that former shares gave: expectation-maximisation, as in Richardson 1972, doi:10.1364/JOSA.62.000055.
    Products of rows of different pilots have the expectation zero.
    """
    voxels, variance = torch.cat([b.voxels for b in bundles]), torch.cat([b.variance for b in bundles])
    expected = _first_guess((region.shape[0], region.shape[1]))
    seen = _smooth(density_of(voxels, variance[:, None, None].square().expand(-1, *region.shape), variance, region))
    for _ in range(DENSITY_ITERATIONS):
        density = _density(bundles, voxels, variance, expected, region)
        expected = _smooth(density) / np.maximum(seen, 1e-3 * seen.max() + np.finfo(float).tiny)
        expected = np.maximum(expected, _FLOOR * expected.max() + np.finfo(float).tiny)
    return _density(bundles, voxels, variance, expected, region)


def shared_energy(bundle: Bundle, expected: Density) -> Float[Tensor, "_ rows columns"]:
    """Share energy among the voxels of a bundle by what a density over displacements expects of each.

    A voxel of the bundle keeps its own.
    """
    weights = np.stack(
        [
            max(variance, np.finfo(float).tiny) * seen_from(expected, y, x)
            for (y, x), variance in zip(bundle.voxels.tolist(), bundle.variance.tolist(), strict=True)
        ]
    )
    y, x = bundle.voxels.T.numpy()
    weights[:, y, x] = np.eye(len(weights))
    return torch.from_numpy(weights / weights.sum(0)) * bundle.energy


def _density(bundles: Iterable[Bundle], voxels: Tensor, variance: Tensor, expected: Density, region: Mask) -> Density:
    energy = torch.cat([shared_energy(bundle, expected) for bundle in bundles])
    return density_of(voxels, energy, variance, region)


def _first_guess(shape: tuple[int, int]) -> Density:
    y, x = np.ogrid[1 - shape[0] : shape[0], 1 - shape[1] : shape[1]]
    guess: NDArray[np.float64] = 1 / (1 + (y**2 + x**2) / DENSITY_NEAR**2)
    return guess


def _smooth(density: Density) -> Density:
    smooth: Density = ndimage.gaussian_filter((density + density[::-1, ::-1]) / 2, DENSITY_WIDTH, mode="constant")
    return smooth
