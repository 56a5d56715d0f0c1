"""Empirical-Bayes shrinkage of a variance map towards its own neighbourhood."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from mri_noise.arrays import Mask, RealMap
from mri_noise.variance.calibration import SHRINKAGE_POOL, SHRINKAGE_WIDTHS
from mri_noise.variance.smoothing import local_mean


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A variance map after shrinkage.

    Attributes
    ----------
    variance : shape (rows, columns)
    prior_weight : shape (rows, columns)
        Share of the neighbourhood in each voxel's variance: where it is above a half, the prior dominates.
    """

    variance: RealMap
    prior_weight: RealMap


def shrink(variance: RealMap, standard_error: RealMap, region: Mask) -> Shrunk:
    """Weigh each voxel against the mean of its neighbours by the error of the one and the spread of the others.

    The mean m leaves the voxel itself out, and its width is that of the least mean square of v - m over the region.
    What of that square is not error, tau^2, is structure that neighbours do not share: it switches the smoothing off.
    With error s the weight on m is s^2 / (s^2 + tau^2) (Efron and Morris 1973, doi:10.1080/01621459.1973.10481350).
    It needs errors that are independent between neighbours, as those of different colours of a lattice are.
    """
    inside = region.cpu().numpy()
    values = np.where(inside, variance.cpu().double().numpy(), 0)
    mean = torch.from_numpy(_best_mean(values, inside)).to(variance)
    error = standard_error.square()
    excess = local_mean((variance - mean).square(), region, SHRINKAGE_POOL) - local_mean(error, region, SHRINKAGE_POOL)
    structure = excess.clamp_min(0)
    weight = torch.where(error > 0, error / (error + structure), 0)
    return Shrunk(variance + weight * (mean - variance), torch.where(region, weight, torch.nan))


def _best_mean(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean of the neighbours of each voxel, of the width whose relative risk is least."""
    scale = np.where(inside, ndimage.gaussian_filter(values, 2.0) + 1e-300, 1)
    means = [_mean_of_others(values, inside, width) for width in SHRINKAGE_WIDTHS]
    risks = [float((((values - mean) ** 2 / scale)[inside]).sum()) for mean in means]
    return means[int(np.argmin(risks))]


def _mean_of_others(values: NDArray[np.float64], inside: NDArray[np.bool_], width: float) -> NDArray[np.float64]:
    """Gaussian mean over the other voxels of a region; the voxel itself where it has no neighbour."""
    impulse = np.zeros((2 * int(4 * width + 0.5) + 3,) * 2)
    impulse[impulse.shape[0] // 2, impulse.shape[0] // 2] = 1
    own = ndimage.gaussian_filter(impulse, width).max()
    weights = ndimage.gaussian_filter(inside.astype(float), width, mode="constant") - own
    sums = ndimage.gaussian_filter(values, width, mode="constant") - own * values
    return np.where(inside & (weights > 1e-6), sums / np.where(weights > 1e-6, weights, 1), values)
