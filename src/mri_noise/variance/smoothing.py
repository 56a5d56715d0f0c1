"""Averages over the neighbourhood of each voxel, inside a region."""

import numpy as np
import torch
from scipy import ndimage

from mri_noise.arrays import GridMap, GridMask


def local_mean(values: GridMap, region: GridMask, width: float) -> GridMap:
    """Gaussian average over the voxels of a region, of standard deviation ``width`` in voxels; NaN outside it."""
    inside = region.cpu().numpy()
    held = np.where(inside, values.detach().cpu().double().numpy(), 0)
    weights = ndimage.gaussian_filter(inside.astype(float), width, mode="constant")
    sums = ndimage.gaussian_filter(held, width, mode="constant")
    means = np.where(inside, sums / np.where(inside, weights, 1), np.nan)
    return torch.from_numpy(means).to(values.device)
