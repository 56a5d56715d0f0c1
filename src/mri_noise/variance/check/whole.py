"""The whole of a map: its linear part, and what pairs say beyond it."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from mri_noise.variance.calibration import GROWTH_OF_PAIRS
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.first_look import filled, smoothed_variance
from mri_noise.variance.check.linearity import Linearity, LinearityCheck, assess
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint

_MOST = 2
"""Pairs at most, in units of those that were planned."""


@dataclass(frozen=True, eq=False)
class Whole:
    """What is added to the linear part of a slice.

    Attributes
    ----------
    settings
    point
    generator
        Of the pairs.
    excess
        By the pairs so far.
    by_replicas
        Whether the map is that of replicas, without a linear part.
    """

    settings: LinearityCheck
    point: OperatingPoint
    generator: torch.Generator
    excess: Excess
    by_replicas: bool = False

    @cached_property
    def linearity(self) -> Linearity | None:
        """The verdict on the linear part; None where it is none of the map."""
        if self.by_replicas:
            return None
        return assess(self.excess, self.point, correct=self.settings.correct)

    def of(self, estimate: VarianceEstimate) -> tuple["Whole", VarianceEstimate]:
        """The whole of a map of the linear part; with as many pairs as its plan asks for, or a complete map needs.

        Where the variance is still to come there is a first look.
        """
        plan = estimate.plan
        if plan is not None and plan.replicas:
            return replace(self, by_replicas=True), self._counted(estimate)
        with_pairs = self if plan is None else self._extended(plan.n_pairs)
        found = with_pairs._added_to(estimate)
        if plan is None or plan.total_target is None or not estimate.complete:
            return with_pairs, found
        while found.nrmse(with_pairs.excess.pairs.region) > plan.total_target:
            n_pairs = round(GROWTH_OF_PAIRS * with_pairs.excess.pairs.n)
            if n_pairs > _MOST * plan.n_pairs:
                break
            with_pairs = with_pairs._extended(n_pairs)
            found = with_pairs._added_to(estimate)
        return with_pairs, found

    def _extended(self, n_pairs: int) -> "Whole":
        if n_pairs <= self.excess.pairs.n:
            return self
        more = self.settings.model_copy(update={"n_pairs": n_pairs})
        return replace(self, excess=Excess(more(self.point, self.generator, self.excess.pairs)))

    def _added_to(self, estimate: VarianceEstimate) -> VarianceEstimate:
        pairs, counted = self.excess.pairs, self._counted(estimate)
        found = self.excess.added_to(counted) if self.settings.correct else counted
        return filled(found, smoothed_variance(pairs), pairs.n, pairs.region)

    def _counted(self, estimate: VarianceEstimate) -> VarianceEstimate:
        n_before = self.excess.pairs.n_evaluations + self.point.n_evaluations
        return replace(estimate, n_evaluations=estimate.n_evaluations + n_before)
