"""Whether noise of this size passes a reconstruction as its derivative says, and what to do where it does not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from mri_noise.acquisition.noise import white_probes
from mri_noise.arrays import GridImage, GridMap, GridMask, Samples
from mri_noise.settings import Settings
from mri_noise.variance.calibration import LINEARITY_WIDTH, NEGLIGIBLE_BIAS, TOLERABLE_BIAS
from mri_noise.variance.estimate import CHANNELS, Channel, ChannelVariance, VarianceEstimate, unit_phase
from mri_noise.variance.linearise.point import OperatingPoint, batch_size, noise_jacobian
from mri_noise.variance.smoothing import local_mean

Perturbations = Float[Tensor, "pairs 3 *grid"]
"""Of the real part, the imaginary part and the magnitude of an image."""


@dataclass(frozen=True, slots=True)
class Linearity:
    """How far the linearised noise map of a slice is from what the reconstruction does to noise of this size.

    Attributes
    ----------
    rho
        sum |f(y + n) - f(y) - J n|^2 / sum |J n|^2 over the object: zero for a linear reconstruction.
    bias
        Estimated error of the linearised std map of the magnitude: its NRMSE over the object.
    remaining_bias
        The same after the regional correction; the bias itself where none is applied.
    corrected
        Whether the variances of the result carry the regional correction.
    n_pairs
        Pairs of f(y + n) and J n with the same noise.
    n_evaluations
        Network-sized passes that they took.
    rounding
        Relative error of the derivative in one probe that its convolutions in bfloat16 make; None: full precision.
    """

    rho: float
    bias: float
    remaining_bias: float
    corrected: bool
    n_pairs: int
    n_evaluations: int
    rounding: float | None = None

    @property
    def arithmetic(self) -> str:
        """That of the derivative, in words."""
        return "full precision" if self.rounding is None else f"bfloat16, off by {100 * self.rounding:.2f} % in a probe"

    @property
    def holds(self) -> bool:
        """Whether the map, corrected or not, is off by no more than is tolerable."""
        return self.remaining_bias <= TOLERABLE_BIAS

    @property
    def verdict(self) -> str:
        """What that means, in words."""
        off, left = f"{100 * self.bias:.1f} %", f"{100 * self.remaining_bias:.1f} %"
        if not self.holds:
            return f"not linear: the map is off by about {left}; use Monte Carlo at this noise"
        if self.corrected:
            return f"corrected regionally: the linear map is off by about {off}, this one by {left}"
        if self.bias > NEGLIGIBLE_BIAS:
            return f"nearly linear: the map is off by about {off}"
        return f"linear at this noise: the map is off by about {off}"


@dataclass(frozen=True, slots=True)
class LinearPart:
    """Half of the pairs: what the derivative does to noise.

    Attributes
    ----------
    values : shape (pairs, 3, *grid), in the image's units
    state
        Of the generator that drew the noise, before it did: it draws the same noise for the other half.
    """

    values: Perturbations
    state: Tensor


@dataclass(frozen=True, slots=True)
class Pairs:
    """Perturbations of an image by the same noise: as the reconstruction makes them, and as its derivative does.

    Attributes
    ----------
    actual, linear : shape (pairs, 3, *grid), in the image's units
        Of the real part, the imaginary part and the magnitude; those of the reconstruction less their local mean.
    """

    actual: Perturbations
    linear: Perturbations

    def power(self, channel: Channel) -> tuple[Tensor, Tensor]:
        """Squares of both in a channel, each of shape (pairs, *grid)."""
        chosen = {"magnitude": [2], "complex": [0, 1], "real": [0], "imaginary": [1]}[channel]
        return self.actual[:, chosen].square().sum(1), self.linear[:, chosen].square().sum(1)


class LinearityCheck(Settings):
    """Pairs of f(y + n) and J n with the same noise, before every map that is computed from the derivative."""

    expert: ClassVar[frozenset[str]] = frozenset({"batch"})

    n_pairs: int = Field(8, ge=4, le=64, description="Noise realisations; each costs two evaluations")
    correct: bool = Field(True, description="Correct the map region by region where the pairs show that it helps")
    batch: int | None = Field(None, ge=1, description="Pairs computed at once; none: what suits the device")

    def __call__(self, point: OperatingPoint, generator: torch.Generator) -> Pairs:
        """Compute the pairs."""
        return self.paired(point, self.linear(point, generator))

    def linear(self, point: OperatingPoint, generator: torch.Generator) -> LinearPart:
        """Apply the derivative to noise."""
        chunk = batch_size(self.batch, point)
        state, against_phase = generator.get_state(), unit_phase(point.image).conj()
        operator, parts = noise_jacobian(point, chunk=chunk), []
        for white in _noise(self.n_pairs, point, generator, chunk):
            tangents = operator(white)
            parts.append(_channels(tangents, (against_phase * tangents).real))
        return LinearPart(torch.cat(parts), state)

    def paired(self, point: OperatingPoint, linear: LinearPart) -> Pairs:
        """Reconstruct data with the same noise added."""
        generator, parts = torch.Generator(), []
        generator.set_state(linear.state)
        for white in _noise(len(linear.values), point, generator, batch_size(self.batch, point)):
            with torch.no_grad():
                images = point.reconstruct(point.kspace + point.noise_shaping(white))
            parts.append(_channels(images - point.image, images.abs() - point.image.abs()))
        actual = torch.cat(parts)
        shift = (actual - linear.values).mean(0)
        smooth = torch.stack([local_mean(each, point.object, LINEARITY_WIDTH).nan_to_num(0) for each in shift])
        return Pairs(actual - smooth, linear.values)


def _noise(n: int, point: OperatingPoint, generator: torch.Generator, chunk: int) -> Iterator[Samples]:
    return white_probes(n, point.noise_shaping.in_shape, generator, point.kspace, draw="gaussian", chunk=chunk)


def _channels(changes: GridImage, of_magnitude: Float[Tensor, "batch *grid"]) -> Perturbations:
    return torch.stack([changes.real, changes.imag, of_magnitude], dim=1).double()


def assess(pairs: Pairs, region: GridMask, *, correct: bool) -> Linearity:
    """Estimate the bias of the linearised std map of the magnitude, with and without the regional correction.

    A voxel's excess of squares, d_s = (a_s^2 - l_s^2) / (sigma_a + sigma_l), has the expectation sigma_a - sigma_l.
    Products of different pairs are unbiased for its square. The correction is taken from one half of the pairs and
    judged by the other.
    """
    n_pairs = len(pairs.actual)
    actual, linear = pairs.power("magnitude")
    total = float(actual.mean(0)[region].sum())
    excess = (actual - linear) / (_sigma(actual, region) + _sigma(linear, region))
    squared = (excess.sum(0).square() - excess.square().sum(0)) / (n_pairs * (n_pairs - 1))
    bias = max(float(squared[region].nansum()), 0.0) / total
    halves = torch.arange(n_pairs) < n_pairs // 2
    gains = [_gain(pairs, excess, half, region) / total for half in (halves, ~halves)]
    helps = correct and min(gains) > 0 and bias > NEGLIGIBLE_BIAS**2
    remaining = max(bias - sum(gains) / 2, 0.0) if helps else bias
    difference = (pairs.actual - pairs.linear)[:, :2].square().sum((0, 1))[region].sum()
    return Linearity(
        rho=float(difference / pairs.linear[:, :2].square().sum((0, 1))[region].sum()),
        bias=bias**0.5,
        remaining_bias=remaining**0.5,
        corrected=helps,
        n_pairs=n_pairs,
        n_evaluations=2 * n_pairs,
    )


def correction(pairs: Pairs, region: GridMask, channel: Channel) -> GridMap:
    """Ratio of the actual to the linear variance of a neighbourhood, shape (*grid); 1 outside the region."""
    actual, linear = (power.mean(0) for power in pairs.power(channel))
    ratio = local_mean(actual, region, LINEARITY_WIDTH) / local_mean(linear, region, LINEARITY_WIDTH)
    return torch.where(torch.isfinite(ratio), ratio, 1.0)


def corrections(pairs: Pairs, region: GridMask) -> dict[Channel, GridMap]:
    """The correction of every channel."""
    return {channel: correction(pairs, region, channel) for channel in CHANNELS}


def corrected(estimate: VarianceEstimate, ratios: Mapping[Channel, GridMap]) -> VarianceEstimate:
    """Multiply the variances, and their standard errors, with regional corrections."""
    channels = {
        channel: ChannelVariance(*(ratios[channel].to(value) * value for value in values))
        for channel, values in estimate.channels.items()
    }
    return replace(estimate, channels=channels)


def _sigma(power: Float[Tensor, "pairs *grid"], region: GridMask) -> GridMap:
    return local_mean(power.mean(0), region, LINEARITY_WIDTH).sqrt()


def _gain(pairs: Pairs, excess: Float[Tensor, "pairs *grid"], half: Tensor, region: GridMask) -> float:
    """By how much a correction from one half lowers the squared error that the other half shows."""
    first = Pairs(pairs.actual[half], pairs.linear[half])
    change = (correction(first, region, "magnitude").sqrt() - 1) * _sigma(pairs.power("magnitude")[1], region)
    return float((2 * change * excess[~half].mean(0) - change.square())[region].nansum())
