"""Exact noise of what is read out of an image: regions, contrasts, and the correlation of a voxel.

For white circular v with E|v|^2 = 1 each real component has variance 1/2, so that any real read-out has
Var(Re <w, x>) = |B^T w|^2 / 2, with one adjoint product and no sampling.
"""

from dataclasses import dataclass

import torch

from mri_noise.arrays import GridImage, GridMap, GridMask
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.rows import covariance_rows


@dataclass(frozen=True, slots=True)
class RegionNoise:
    """The noise of a region's mean.

    Attributes
    ----------
    n_voxels
    mean
        Complex mean of the image over the region.
    mean_magnitude
        Mean of the image's magnitude over the region.
    standard_deviation
        Of the complex mean: root of the variance of its real plus imaginary part.
    standard_deviation_magnitude
        Of the mean magnitude, to first order in the noise.
    """

    n_voxels: int
    mean: complex
    mean_magnitude: float
    standard_deviation: float
    standard_deviation_magnitude: float


@dataclass(frozen=True, slots=True)
class ContrastNoise:
    """The difference of two regions' mean magnitudes and its standard deviation."""

    difference: float
    standard_deviation: float


def readout_variance(operator: LinearOperator, weights: GridImage) -> float:
    """Var(Re <w, x>) = |B^T w|^2 / 2, w of shape (*grid)."""
    return float(operator.adjoint(weights).abs().double().square().sum()) / 2


def region_noise(operator: LinearOperator, image: GridImage, region: GridMask) -> RegionNoise:
    """Noise of a region's complex mean and mean magnitude: three adjoint products.

    Raises
    ------
    ValueError
        If the region is empty.
    """
    average = _average(image, region)
    phase = unit_phase(image)
    return RegionNoise(
        n_voxels=int(region.sum()),
        mean=complex(image[region].mean()),
        mean_magnitude=float(image[region].abs().mean()),
        standard_deviation=sum(readout_variance(operator, part * average) for part in (1, 1j)) ** 0.5,
        standard_deviation_magnitude=readout_variance(operator, phase * average) ** 0.5,
    )


def contrast_noise(operator: LinearOperator, image: GridImage, first: GridMask, second: GridMask) -> ContrastNoise:
    """Noise of the difference of two regions' mean magnitudes, their correlation included: one adjoint product.

    Raises
    ------
    ValueError
        If a region is empty.
    """
    weights = unit_phase(image) * (_average(image, first) - _average(image, second))
    difference = float(image[first].abs().mean() - image[second].abs().mean())
    return ContrastNoise(difference, readout_variance(operator, weights) ** 0.5)


def voxel_covariance(operator: LinearOperator, image: GridImage, voxel: tuple[int, ...]) -> GridMap:
    """Covariance of the magnitude of one voxel with that of every other: one adjoint and one forward product.

    Raises
    ------
    IndexError
        If the voxel is outside the image.
    """
    if len(voxel) != image.ndim or not all(0 <= place < n for place, n in zip(voxel, image.shape, strict=True)):
        raise IndexError(f"voxel {voxel} is outside the image of {tuple(image.shape)} voxels; choose one inside it")
    return covariance_rows(operator, image, torch.tensor([voxel]), chunk=1).covariance[0]


def voxel_correlation(covariance: GridMap, voxel: tuple[int, ...], variance_magnitude: GridMap) -> GridMap:
    """Correlation coefficient of one voxel with every other, from its covariances; zero where there is no noise."""
    scale = (covariance[voxel] * variance_magnitude).sqrt()
    return torch.where(scale > 0, covariance / scale, 0).clamp(-1, 1)


def _average(image: GridImage, region: GridMask) -> GridImage:
    n_voxels = int(region.sum())
    if n_voxels == 0:
        raise ValueError("the region holds no voxel of the image; draw it inside the image")
    return region.to(image.dtype) / n_voxels
