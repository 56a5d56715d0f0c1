"""The noise variance of an image, and the one accumulator that every sampling estimator uses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from mri_noise.arrays import GridImage, GridMap, GridMask
from mri_noise.variance.plan import Plan

Channel = Literal["magnitude", "complex", "real", "imaginary"]
"""What of an image the variance is of; that of the complex image is of its real plus its imaginary part."""

CHANNELS: tuple[Channel, ...] = get_args(Channel)

_PRODUCTS = ((1, 1), (2, 1), (1, 2), (2, 2))
"""Powers of the real and of the imaginary part whose products are summed."""


class ChannelVariance(NamedTuple):
    """The variance of one channel, and how well it is known.

    Attributes
    ----------
    variance : shape (rows, columns), in the image's units squared
    standard_error : shape (rows, columns)
        Of the variance; zero for exact methods, infinite before a second sample.
    """

    variance: GridMap
    standard_error: GridMap


@dataclass(frozen=True, slots=True)
class VarianceEstimate:
    """A snapshot of the voxel-wise noise variance of an image, with its standard errors.

    A method that probes the object alone leaves NaN outside.

    Attributes
    ----------
    channels
        What the method computes: of the magnitude always, of other channels where it does.
    n_samples
        Probes, replicas, rows or colours so far; 0 where all there is yet is a first look.
    n_evaluations
        Network-sized passes so far: a forward, a Jacobian or an adjoint product each count one.
    n_total
        Samples when complete.
    plan
        How the samples were laid out and how accurate that is predicted to be, for methods that plan.
    prior_weight : shape (*grid), or None
        Share of its neighbourhood in the magnitude's variance of each voxel, for methods that shrink: where it is
        above a half, the prior dominates.
    quick_look : shape (*grid), or None
        Where the magnitude's variance is a smoothed first look, to be replaced; None: nowhere.
    """

    channels: Mapping[Channel, ChannelVariance]
    n_samples: int
    n_evaluations: int
    n_total: int
    plan: Plan | None = None
    prior_weight: GridMap | None = None
    quick_look: GridMask | None = None

    def __post_init__(self) -> None:
        if "magnitude" not in self.channels:
            raise ValueError(
                f"every method gives the variance of the magnitude, got that of {', '.join(self.channels) or 'nothing'}"
            )

    @classmethod
    def empty(cls, like: GridMask) -> "VarianceEstimate":
        """Make an estimate in which nothing is known yet, for an image of the shape of ``like``."""
        nothing = torch.full(like.shape, torch.nan, dtype=torch.float64, device=like.device)
        return cls({"magnitude": ChannelVariance(nothing, nothing)}, n_samples=0, n_evaluations=0, n_total=1)

    @property
    def only_first_look(self) -> bool:
        """Whether no sample of the method itself is in yet."""
        return self.n_samples == 0

    @property
    def complete(self) -> bool:
        """Whether every sample is in."""
        return self.n_samples >= self.n_total

    @property
    def variance_magnitude(self) -> GridMap:
        """That of the magnitude, shape (*grid)."""
        return self.channels["magnitude"].variance

    @property
    def standard_error_magnitude(self) -> GridMap:
        """That of the variance of the magnitude, shape (*grid)."""
        return self.channels["magnitude"].standard_error

    def nrmse(self, region: GridMask, channel: Channel = "magnitude") -> float:
        """Root mean square error of a std map over its root mean square in a region, by its standard errors."""
        variance, error = (values[region].double() for values in self.channels[channel])
        squared = torch.where(variance > 0, error.square() / (4 * variance), 0)
        return float(squared.sum() / variance.sum()) ** 0.5

    def with_channel(self, channel: Channel, variance: GridMap, standard_error: GridMap) -> "VarianceEstimate":
        """Put another variance and standard error in the place of those of a channel."""
        return replace(self, channels={**self.channels, channel: ChannelVariance(variance, standard_error)})

    def only(self, *channels: Channel, region: GridMask) -> "VarianceEstimate":
        """Keep some channels, which the method has to compute, in a region; NaN outside it."""
        kept = {
            channel: ChannelVariance(*(torch.where(region, values, torch.nan) for values in self.channels[channel]))
            for channel in channels
        }
        return replace(self, channels=kept)


def unit_phase(image: GridImage) -> GridImage:
    """exp(i phi) of an image; 1 where it is zero."""
    return torch.where(image == 0, torch.ones_like(image), torch.sgn(image))


@dataclass(slots=True)
class Moments:
    """Running moments of image perturbations, in memory that does not grow with their number.

    Holds sums of the first four powers of the real part, the imaginary part and the magnitude's perturbation, and
    the sums of the products of real and imaginary part that the standard error of their total needs.

    Parameters
    ----------
    centred
        Whether to take moments about the sample mean (replicas) or about zero (probes, whose mean is known).
    """

    centred: bool
    n_samples: int = 0
    _powers: Float[Tensor, "4 3 *grid"] | None = None
    _products: Float[Tensor, "4 *grid"] | None = None

    def add(self, perturbations: GridImage, magnitude_perturbations: Float[Tensor, "batch *grid"]) -> None:
        """Take in a batch, shape (batch, *grid)."""
        real, imaginary = perturbations.real.double(), perturbations.imag.double()
        channels = torch.stack([real, imaginary, magnitude_perturbations.double()], dim=1)
        powers = torch.stack([(channels**k).sum(0) for k in (1, 2, 3, 4)])
        products = torch.stack([(real**j * imaginary**k).sum(0) for j, k in _PRODUCTS])
        self._powers = powers if self._powers is None else self._powers + powers
        self._products = products if self._products is None else self._products + products
        self.n_samples += perturbations.shape[0]

    def estimate(self, *, n_evaluations: int, n_total: int) -> VarianceEstimate:
        """Return a snapshot."""
        if self._powers is None or self._products is None:
            raise ValueError("there are no samples to estimate a variance from; add some first")
        n = self.n_samples
        second, fourth = self._central_moments(self._powers / n)
        cross = self._central_cross_moment(self._powers / n, self._products / n)
        moments = torch.stack([*second, second[0] + second[1]])
        spread = torch.stack([*fourth, fourth[0] + fourth[1] + 2 * cross]) - moments**2
        correction = n / (n - 1) if self.centred and n > 1 else 1.0
        variances, errors = correction * moments, correction * self._standard_error(moments, spread)
        places: dict[Channel, int] = {"magnitude": 2, "complex": 3, "real": 0, "imaginary": 1}
        channels = {name: ChannelVariance(variances[i], errors[i]) for name, i in places.items()}
        return VarianceEstimate(channels, n_samples=n, n_evaluations=n_evaluations, n_total=n_total)

    def _standard_error(self, variances: Tensor, spread: Tensor) -> Tensor:
        """Standard error of a mean square with this spread; about the sample mean it gains 2 sigma^4 / (n - 1).

        That term is exact for one channel and an upper bound for the sum of two.
        """
        n = self.n_samples
        if n < 2:
            return torch.full_like(spread, torch.inf)
        if not self.centred:
            return (spread.clamp_min(0) / (n - 1)).sqrt()
        return ((spread.clamp_min(0) + 2 * variances**2 / (n - 1)) / n).sqrt()

    def _central_moments(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Second and fourth moment of each channel about its centre."""
        m1, m2, m3, m4 = raw
        if not self.centred:
            return m2, m4
        return (m2 - m1**2).clamp_min(0), m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4

    def _central_cross_moment(self, raw: Tensor, products: Tensor) -> Tensor:
        """E[(a - E a)^2 (b - E b)^2] of real part a and imaginary part b."""
        m11, m21, m12, m22 = products
        if not self.centred:
            return m22
        a, b = raw[0, 0], raw[0, 1]
        a2, b2 = raw[1, 0], raw[1, 1]
        return m22 - 2 * b * m21 - 2 * a * m12 + b**2 * a2 + a**2 * b2 + 4 * a * b * m11 - 3 * a**2 * b**2
