"""What the check of the linearisation says, and what it changes in a map."""

from dataclasses import dataclass, replace

from mri_noise.arrays import GridMap, GridMask
from mri_noise.variance.check.first_look import filled, smoothed_variance
from mri_noise.variance.check.linearity import Linearity, LinearityCheck, LinearPart, assess, corrected, corrections
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on the linearisation, and what its pairs say of the map.

    Attributes
    ----------
    linearity
    quick_look : shape (*grid)
        Variance of the magnitude, smoothed: a first look.
    ratios : shape (*grid) each
        What corrects the variance of each channel; empty where the linearisation holds.
    """

    linearity: Linearity
    quick_look: GridMap
    ratios: dict[Channel, GridMap]

    def shown(self, estimate: VarianceEstimate, region: GridMask) -> VarianceEstimate:
        """With a first look where the variance is still to come, and corrected where the linearisation is off."""
        estimate = filled(estimate, self.quick_look, self.linearity.n_pairs, region)
        return corrected(estimate, self.ratios) if self.linearity.corrected else estimate


def check(settings: LinearityCheck, point: OperatingPoint, linear: LinearPart) -> Checked:
    """Compute the other half of the pairs, and judge by them."""
    pairs = settings.paired(point, linear)
    linearity = replace(assess(pairs, point.object, correct=settings.correct), rounding=point.derivative.rounding)
    ratios = corrections(pairs, point.object) if linearity.corrected else {}
    return Checked(linearity, smoothed_variance(linear, point.object), ratios)
