"""What is read off a result: its g-factor, how well its map is known, and how it compares with another."""

import math

import torch
from torch import Tensor

from mri_noise.result import Result
from mri_noise.variance.compare import Comparison, compare
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.maps import acceleration, g_factor


def estimate_of(result: Result) -> VarianceEstimate:
    """The variance of a result.

    Raises
    ------
    ValueError
        If the result has none yet.
    """
    if result.estimate is None:
        raise ValueError(f"slice {result.index} has no variance yet; wait for its first samples")
    return result.estimate


def g_factor_of(result: Result) -> Tensor:
    """The g-factor map of a result's magnitude, shape (rows, columns).

    The standard deviation of the magnitude over that of the optimal fully sampled image, and over the root of R.
    """
    complex_equivalent = 2 * estimate_of(result).variance_magnitude
    return g_factor(complex_equivalent, result.full_variance, acceleration(result.mask))


def in_object(result: Result, values: Tensor) -> Tensor:
    """Values in the object, and NaN outside of it: where there is no signal, SNR and g-factor say nothing."""
    return torch.where(result.object, values, torch.nan)


def map_error(result: Result) -> float:
    """Relative error of the magnitude's standard deviation map over the object, from its own standard error.

    A standard error of the variance is taken to be the one of sigma by what it would add to it.
    """
    estimate = estimate_of(result)
    variance = estimate.variance_magnitude[result.object]
    sigma = variance.sqrt()
    error = (variance + estimate.standard_error_magnitude[result.object]).sqrt() - sigma
    return float((error.square().mean() / sigma.square().mean()).sqrt())


def error_shares(result: Result) -> dict[str, float]:
    """Relative errors of the magnitude's standard deviation map over the object, by where they come from.

    Those of the samples of the method, of what noise of this size does beyond the linear part (as far as pairs say it,
    or all of it where they add nothing), and of the noise covariance: independent of each other.
    """
    map_alone, shares = map_error(result), {}
    if result.linearity is not None:
        shares["beyond the linear part"] = beyond = result.linearity.remaining_bias
        if result.linearity.corrected:  # its standard error holds both
            map_alone = max(map_alone**2 - beyond**2, 0.0) ** 0.5
    if result.noise.n_samples is not None:
        shares["noise level"] = result.noise.uncertainty
    return {"map": map_alone, **shares}


def total_error(result: Result) -> float:
    """Relative error of the magnitude's standard deviation map over the object, whatever it comes from."""
    return math.hypot(map_error(result), error_of_linearising(result), result.noise.uncertainty)


def error_of_linearising(result: Result) -> float:
    """That of the linear part, where standard errors do not hold it: where nothing is added to it."""
    return 0.0 if result.linearity is None or result.linearity.corrected else result.linearity.remaining_bias


def prior_share(result: Result) -> float:
    """Share of the object's voxels whose variance is mostly that of their neighbourhood; zero without a prior."""
    weight = estimate_of(result).prior_weight
    return 0.0 if weight is None else float((weight[result.object] > 0.5).double().mean())


def comparison_of(result: Result, reference: Result, *, channel: Channel = "magnitude") -> Comparison:
    """Compare the variance of a channel of two results.

    Raises
    ------
    ValueError
        If the method of one does not compute that channel.
    """
    for each in (result, reference):
        if channel not in estimate_of(each).channels:
            raise ValueError(
                f"variance.kind={each.experiment.variance.kind} computes no {channel} variance; "
                "use sketch, monte-carlo or exact"
            )
    pairs = (*estimate_of(result).channels[channel], *estimate_of(reference).channels[channel])
    return compare(*pairs, result.object)
