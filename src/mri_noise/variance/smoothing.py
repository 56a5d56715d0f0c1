"""Averages over the neighbourhood of each voxel, inside a region."""

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from mri_noise.arrays import GridMap, GridMask


def local_mean(values: GridMap, region: GridMask, width: float) -> GridMap:
    """Gaussian average over the voxels of a region, of standard deviation ``width`` in voxels; NaN outside it."""
    inside = region.cpu().numpy()
    held = np.where(inside, values.detach().cpu().double().numpy(), 0)
    weights = ndimage.gaussian_filter(inside.astype(float), width, mode="constant")
    sums = ndimage.gaussian_filter(held, width, mode="constant")
    means = np.where(inside, sums / np.where(inside, weights, 1), np.nan)
    return torch.from_numpy(means).to(values.device)


def local_means(values: Float[Tensor, "maps voxels"], region: GridMask, width: float) -> Float[Tensor, "maps voxels"]:
    """The same of some maps, given in the voxels of the region alone."""
    inside = region.cpu().numpy()
    weights = ndimage.gaussian_filter(inside.astype(float), width, mode="constant")[inside]
    held, means = np.zeros(inside.shape), np.empty(values.shape)
    for number, each in enumerate(values.detach().cpu().double().numpy()):
        held[inside] = each
        means[number] = ndimage.gaussian_filter(held, width, mode="constant")[inside] / weights
    return torch.from_numpy(means).to(values.device)
