"""A first map from few samples, shown where a better one is still to come."""

from dataclasses import replace

import torch

from mri_noise.arrays import GridMap, GridMask
from mri_noise.variance.calibration import FIRST_LOOK_WIDTH
from mri_noise.variance.check.linearity import LinearPart
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.smoothing import local_mean


def smoothed_variance(linear: LinearPart, region: GridMask) -> GridMap:
    """Variance of the magnitude by samples of the derivative, averaged over neighbours; NaN outside the region."""
    of_magnitude = linear.values[:, 2]
    return local_mean(of_magnitude.square().mean(0), region, FIRST_LOOK_WIDTH)


def first_look(linear: LinearPart, region: GridMask) -> VarianceEstimate:
    """An estimate that holds nothing but the smoothed variance."""
    quick = smoothed_variance(linear, region)
    return filled(VarianceEstimate.empty(region), quick, len(linear.values), region)


def filled(estimate: VarianceEstimate, quick: GridMap, n_samples: int, region: GridMask) -> VarianceEstimate:
    """Show a smoothed variance from some samples where the region's is still to come, and say where.

    Its standard error is that of the samples before smoothing.
    """
    missing = region & torch.isnan(estimate.variance_magnitude)
    if not bool(missing.any()):
        return estimate
    error = quick * (2 / n_samples) ** 0.5
    shown = estimate.with_channel(
        "magnitude",
        torch.where(missing, quick, estimate.variance_magnitude),
        torch.where(missing, error, estimate.standard_error_magnitude),
    )
    return replace(shown, quick_look=missing)


def without_first_look(estimate: VarianceEstimate) -> VarianceEstimate:
    """With NaN where there is only a first look."""
    if estimate.quick_look is None:
        return estimate
    masked = (values.masked_fill(estimate.quick_look, torch.nan) for values in estimate.channels["magnitude"])
    return replace(estimate.with_channel("magnitude", *masked), quick_look=None)
