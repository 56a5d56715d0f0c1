"""What pairs add to the variance of the linear part: averaged over as much of the image as they bear out."""

import itertools
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from mri_noise.arrays import GridMask
from mri_noise.variance.calibration import (
    EXCESS_POOL,
    EXCESS_WIDTHS,
    LEAST_OF_LINEAR,
    LEAST_SCALE,
    LINEAR_TO_ROUNDING,
    NEGLIGIBLE_REMAINDER,
    SCALE_WIDTH,
)
from mri_noise.variance.check.pairs import Pairs
from mri_noise.variance.estimate import Channel, ChannelVariance, VarianceEstimate
from mri_noise.variance.smoothing import local_means

Values = Float[Tensor, " voxels"]
OfPairs = Float[Tensor, "pairs voxels"]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The excess of a channel, relative to the variance of its linear part.

    Each pair says something of every voxel; its averages over neighbourhoods, from the voxel itself to the whole
    region, differ by what a scale adds to the next larger one. What each scale adds is weighed by c = s / (s + e), with
    e its error, from the scatter of the pairs, and s the rest of its size: an empirical Bayes mean of none, the
    neighbourhood's and the voxel's own (Efron and Morris 1973, doi:10.1080/01621459.1973.10481350). With more pairs
    every weight goes to one, and the excess of the pairs alone remains, which has no bias. Where the pairs say that it
    is no better than nothing over the whole region, it is nothing.

    Attributes
    ----------
    value, squared_error : shape (voxels,)
        The second is an unbiased estimate of the squared error of the first, averaged over neighbourhoods: the variance
        of what is kept and the square of what is held back, and what weights owe to the same noise (Stein 1981,
        doi:10.1214/aos/1176345632).
    sizes, errors : shape (scales, voxels)
        s and e.
    """

    value: Values
    squared_error: Values
    sizes: Float[Tensor, "scales voxels"]
    errors: Float[Tensor, "scales voxels"]

    @classmethod
    def of(cls, excess: OfPairs, scale: Values, region: GridMask) -> "Shrunk":
        """Weigh what each pair says, relative to a scale of the variance.

        Squares are averaged with the scale as their weight, as they count in the error of a std map.
        """
        n, zero = len(excess), torch.zeros_like(excess)
        weight_of_all = local_means(scale[None], region, EXCESS_POOL)

        def pooled(values: OfPairs) -> OfPairs:
            return local_means(scale * values, region, EXCESS_POOL) / weight_of_all

        scales = [excess, *(local_means(excess, region, width) for width in EXCESS_WIDTHS)]
        scales += [excess.mean(1, keepdim=True).expand_as(excess), zero]
        kept, optimism, sizes, errors = zero, zero[0], [], []
        for fine, coarse in itertools.pairwise(scales):
            added = fine - coarse
            both = torch.stack([added.var(0) / n, added.mean(0).square()])
            error, square = pooled(both)
            size = (square - error).clamp_min(0)
            weight = torch.where(size > 0, size / (size + error), 0)
            kept = kept + weight * added
            mean = added.mean(0)
            steepness = torch.where(size > 0, error / (size + error).square(), 0)  # of the weight in the square
            optimism = optimism + 4 * steepness * mean * _covariance(pooled(mean * added), excess)
            sizes.append(size)
            errors.append(error)
        held_back = excess - kept
        squared = held_back.mean(0).square() + (kept.var(0) - held_back.var(0) + optimism) / n
        value, of_nothing = kept.mean(0), excess.mean(0).square() - excess.var(0) / n
        if float((scale * of_nothing).sum()) <= float((scale * squared).sum()):
            value, squared = torch.zeros_like(value), of_nothing
        return cls(value, pooled(squared[None])[0].clamp_min(0), torch.stack(sizes), torch.stack(errors))

    def forecast(self, share: float) -> Values:
        """Squared error by as many pairs that their errors are so much smaller: shape (voxels,)."""
        error = share * self.errors
        return torch.where(self.sizes > 0, self.sizes * error / (self.sizes + error), 0).sum(0)


def _covariance(a: OfPairs, b: OfPairs) -> Values:
    """Over pairs."""
    return ((a - a.mean(0)) * (b - b.mean(0))).sum(0) / (len(a) - 1)


@dataclass(frozen=True, eq=False)
class Excess:
    """What some pairs say of the variance beyond that of the linear part.

    Attributes
    ----------
    pairs
    """

    pairs: Pairs
    _known: dict[Channel, tuple[Values, Shrunk]] = field(default_factory=dict)

    def is_none(self, channel: Channel) -> bool:
        """Whether the reconstruction is linear but for rounding, and so is a channel of it but for a trifle.

        The magnitude of a linear one is not, where there is little signal.
        """
        linear = self.pairs.remainder("complex") < LINEAR_TO_ROUNDING
        return linear and (channel != "magnitude" or self.pairs.remainder("magnitude") < NEGLIGIBLE_REMAINDER)

    def added_to(self, estimate: VarianceEstimate) -> VarianceEstimate:
        """Add it, and its error, to the variance of the linear part in the region, channel by channel.

        What neighbours share is relative to the variance of a linear part that was planned and is complete, and to
        that of the pairs otherwise: so that a map that is cut short is that of as many samples.
        """
        by_linear = estimate.complete and estimate.plan is not None
        channels = {
            name: values if self.is_none(name) else self._added(name, values, by_linear=by_linear)
            for name, values in estimate.channels.items()
        }
        return replace(estimate, channels=channels)

    def nrmse(self, n_pairs: int | None = None, channel: Channel = "magnitude") -> float:
        """What its error is of the std map of a channel in the region; with another number of pairs, in forecast."""
        if self.is_none(channel):
            return 0.0
        scale, shrunk = self._by_pairs(channel)
        error = float((scale * shrunk.squared_error).sum() / (4 * scale.sum()))
        if n_pairs is not None:
            now, then = (float((scale * shrunk.forecast(share)).sum()) for share in (1.0, self.pairs.n / n_pairs))
            error *= then / now if now > 0 else 0.0
        return error**0.5

    @property
    def bias(self) -> float:
        """NRMSE of the std map of the linear part alone, for the magnitude in the region.

        A voxel's excess over the sum of both deviations, sigma + sigma_linear, has the expectation sigma -
        sigma_linear. Products of different pairs are unbiased for its square.
        """
        pairs, region = self.pairs, self.pairs.region
        both = torch.stack([pairs.power("magnitude").mean(0), pairs.linear_power("magnitude").mean(0)])
        deviations = local_means(both, region, SCALE_WIDTH).sqrt().sum(0)
        apart = pairs.excess("magnitude") / deviations.clamp_min(torch.finfo(torch.float64).tiny)
        squared = (apart.sum(0).square() - apart.square().sum(0)) / (pairs.n * (pairs.n - 1))
        total = float(both[0].sum())
        return max(float(squared.sum()) / total, 0.0) ** 0.5 if total > 0 else 0.0

    def _by_pairs(self, channel: Channel) -> tuple[Values, Shrunk]:
        """The variance of a channel by the pairs, smoothed, and its excess relative to that."""
        if channel not in self._known:
            smooth = local_means(self.pairs.power(channel).mean(0)[None], self.pairs.region, SCALE_WIDTH)[0]
            self._known[channel] = self._relative_to(smooth, channel)
        return self._known[channel]

    def _relative_to(self, variance: Values, channel: Channel) -> tuple[Values, Shrunk]:
        """A scale, no less than a share of the mean in the neighbourhood, and the excess relative to it."""
        region = self.pairs.region
        least = LEAST_SCALE * local_means(variance[None], region, max(EXCESS_WIDTHS))[0]
        scale = torch.maximum(variance, least).clamp_min(torch.finfo(torch.float64).tiny)
        return scale, Shrunk.of(self.pairs.excess(channel) / scale, scale, region)

    def _added(self, channel: Channel, values: ChannelVariance, *, by_linear: bool) -> ChannelVariance:
        region = self.pairs.region
        inside = [each[region].double() for each in values]
        if channel == "magnitude":
            inside = [self.pairs.modulus.double().square() * each for each in inside]
        linear, error = inside
        scale, shrunk = self._relative_to(linear, channel) if by_linear else self._by_pairs(channel)
        found = (
            torch.maximum(linear + scale * shrunk.value, LEAST_OF_LINEAR * linear),
            (error.square() + scale.square() * shrunk.squared_error).sqrt(),
        )
        totals = []
        for whole, part in zip(values, found, strict=True):
            totals.append(whole.clone())
            totals[-1][region] = part.to(whole)
        return ChannelVariance(*totals)
