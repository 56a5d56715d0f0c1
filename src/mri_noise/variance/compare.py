"""Comparison of two noise maps: how far apart, and how far apart their errors let them be."""

from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from mri_noise.arrays import Mask, RealMap


@dataclass(frozen=True, slots=True)
class Comparison:
    """A standard deviation map against a reference.

    Attributes
    ----------
    nrmse, nrmse_max : over the object
        Root mean square error over the reference's root mean square, and over its maximum.
    nrmse_image, nrmse_max_image : over the whole image, as far as both maps know it
    expected_nrmse : over the object
        What the standard errors of both maps predict for ``nrmse`` if they agree.
    pearson, slope : over the object
        Correlation, and slope of the regression of the map on the reference.
    bias, limits
        Bland and Altman 1986 (doi:10.1016/S0140-6736(86)90837-8): mean difference, and its 95 % limits.
    mean_z, mean_square_z
        Moments of the differences of the variances in units of their standard errors: 0 and 1 for maps that agree;
        NaN where both maps are exact.
    n_voxels
        In the object.
    """

    nrmse: float
    nrmse_max: float
    nrmse_image: float
    nrmse_max_image: float
    expected_nrmse: float
    pearson: float
    slope: float
    bias: float
    limits: tuple[float, float]
    mean_z: float
    mean_square_z: float
    n_voxels: int


def compare(
    variance: RealMap, standard_error: RealMap, reference: RealMap, reference_standard_error: RealMap, region: Mask
) -> Comparison:
    """Compare the standard deviation maps of two variances over an object.

    Raises
    ------
    ValueError
        If the object holds fewer than three voxels, or the reference has no noise in it.
    """
    if int(region.sum()) < 3 or not bool((reference[region] > 0).any()):
        raise ValueError("the object should hold at least three voxels with noise; choose another object")
    sigma, truth = variance.double().sqrt(), reference.double().sqrt()
    variance_error = (standard_error.square() + reference_standard_error.square()).double().sqrt()
    x, y = truth[region], sigma[region]
    difference = y - x
    bias, spread = float(difference.mean()), float(difference.std())
    known = torch.isfinite(sigma) & torch.isfinite(truth)
    z = (variance - reference)[region].double() / variance_error[region]
    return Comparison(
        nrmse=_rms(difference) / _rms(x),
        nrmse_max=_rms(difference) / float(x.max()),
        nrmse_image=_rms((sigma - truth)[known]) / _rms(truth[known]),
        nrmse_max_image=_rms((sigma - truth)[known]) / float(truth[known].max()),
        expected_nrmse=_rms(variance_error[region] / (2 * x.clamp_min(1e-300))) / _rms(x),
        pearson=float(stats.pearsonr(x.numpy(), y.numpy()).statistic),
        slope=float(stats.linregress(x.numpy(), y.numpy()).slope),
        bias=bias,
        limits=(bias - 1.96 * spread, bias + 1.96 * spread),
        mean_z=float(z.mean()),
        mean_square_z=float(z.square().mean()),
        n_voxels=int(region.sum()),
    )


def _rms(x: Tensor) -> float:
    return float(torch.sqrt(x.square().mean()))
