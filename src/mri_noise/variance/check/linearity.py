"""Whether noise of this size passes a reconstruction as its linear part says, and what is done where it does not."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field

from mri_noise.settings import Settings
from mri_noise.variance.calibration import NEGLIGIBLE_BIAS, TOLERABLE_BIAS
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.pairs import Pairs, compute_pairs
from mri_noise.variance.linearise.draws import Draws
from mri_noise.variance.linearise.point import OperatingPoint, batch_size


@dataclass(frozen=True, slots=True)
class Linearity:
    """How far the linear noise map of a slice is from what the reconstruction does to noise of this size.

    Attributes
    ----------
    rho
        Share of the variance of the image's real and imaginary parts, over the object, that is not that of the linear
        part: zero for a linear reconstruction.
    bias
        Estimated error of the linear std map of the magnitude: its NRMSE over the object.
    remaining_bias
        The same of the map with what pairs add to it; the bias itself where they add nothing.
    corrected
        Whether the variances of the result carry that.
    n_pairs
        Pairs of opposite noise.
    n_evaluations
        Network-sized passes that they took, and what the derivative was averaged over.
    rounding
        Relative error of the derivative in one probe that its convolutions in bfloat16 make; None: full precision.
    averaged
        Whether the linear part is the derivative averaged over the noise, or that at the data.
    """

    rho: float
    bias: float
    remaining_bias: float
    corrected: bool
    n_pairs: int
    n_evaluations: int
    rounding: float | None = None
    averaged: bool = False

    @property
    def arithmetic(self) -> str:
        """How the derivative is computed, in words."""
        where = "averaged over the noise" if self.averaged else "at the data"
        how = "full precision" if self.rounding is None else f"bfloat16, off by {100 * self.rounding:.2f} % in a probe"
        return f"{where}, {how}"

    @property
    def holds(self) -> bool:
        """Whether the map has what pairs add, and with it their error, or else is off by no more than is tolerable."""
        return self.corrected or self.bias <= TOLERABLE_BIAS

    @property
    def verdict(self) -> str:
        """What that means, in words."""
        off, left = f"{100 * self.bias:.1f} %", f"{100 * self.remaining_bias:.1f} %"
        if self.corrected:
            how = f"the linear part alone is off by {off}, with what {self.n_pairs} pairs add the map by {left}"
        else:
            how = f"the map is off by about {off}"
        if self.bias > TOLERABLE_BIAS:
            return f"not linear: {how}"
        return f"nearly linear: {how}" if self.bias > NEGLIGIBLE_BIAS else f"linear at this noise: {how}"


class LinearityCheck(Settings):
    """How a reconstruction is linearised, and pairs of opposite noise that say what its linear part leaves out."""

    expert: ClassVar[frozenset[str]] = frozenset({"linearise", "n_averaged", "batch"})

    linearise: Literal["noise", "point"] = Field(
        "noise", description="Where derivatives are taken: averaged over noise like that of the data, or at the data"
    )
    n_averaged: int = Field(
        2, ge=1, le=32, description="Pairs of opposite noise over which derivatives are averaged: two evaluations each"
    )
    n_pairs: int = Field(
        4, ge=2, le=256, description="Other pairs, that say what is left out, at least: three evaluations each"
    )
    correct: bool = Field(True, description="Add what the pairs show beyond the linear part")
    batch: int | None = Field(None, ge=1, description="Reconstructions computed at once; none: what suits the device")

    def averaged(self, generator: torch.Generator) -> Draws | None:
        """What derivatives are averaged over, from a generator that is not changed; None: they are taken at the data.

        It is other noise than that of the pairs: the derivative would follow its own noise too well, and say too
        little of what it leaves out of others'.
        """
        return Draws.by(generator, self.n_averaged) if self.linearise == "noise" else None

    def __call__(self, point: OperatingPoint, generator: torch.Generator, pairs: Pairs | None = None) -> Pairs:
        """Compute the pairs that come after some others, if there are any, from the same generator, left as it was."""
        n_former, n_pairs = (0, self.n_pairs) if pairs is None else (pairs.n, max(self.n_pairs, pairs.n))
        before = self.n_averaged + n_former
        draws = Draws.by(generator, self.n_averaged + n_pairs)
        if pairs is not None and n_pairs == pairs.n:
            return pairs
        found = compute_pairs(point, draws, chunk=batch_size(self.batch, point), skipped=before)
        return found if pairs is None else pairs.joined(found)


def assess(excess: Excess, point: OperatingPoint, *, correct: bool) -> Linearity:
    """Say how far the linear std map of the magnitude is off, with and without what pairs add."""
    pairs, bias = excess.pairs, excess.bias
    corrected = correct and not excess.is_none("magnitude")
    return Linearity(
        rho=pairs.remainder("complex"),
        bias=bias,
        remaining_bias=excess.nrmse() if corrected else bias,
        corrected=corrected,
        n_pairs=pairs.n,
        n_evaluations=pairs.n_evaluations + point.n_evaluations,
        rounding=point.derivative.rounding,
        averaged=point.is_averaged,
    )
