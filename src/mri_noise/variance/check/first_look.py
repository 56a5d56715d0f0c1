"""A first map from few samples, shown where a better one is still to come."""

from dataclasses import replace

import torch

from mri_noise.arrays import GridMap, GridMask
from mri_noise.variance.calibration import FIRST_LOOK_WIDTH
from mri_noise.variance.check.pairs import Pairs
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.smoothing import local_means


def smoothed_variance(pairs: Pairs) -> GridMap:
    """Variance of the magnitude by the pairs, averaged over neighbours; NaN outside the region."""
    smooth = local_means(pairs.power("magnitude").mean(0)[None], pairs.region, FIRST_LOOK_WIDTH)[0]
    found = torch.full(pairs.region.shape, torch.nan, dtype=torch.float64, device=smooth.device)
    found[pairs.region] = smooth
    return found


def first_look(pairs: Pairs) -> VarianceEstimate:
    """An estimate that holds nothing but the smoothed variance."""
    nothing = VarianceEstimate.empty(pairs.region)
    shown = filled(nothing, smoothed_variance(pairs), pairs.n, pairs.region)
    return replace(shown, n_evaluations=pairs.n_evaluations)


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
