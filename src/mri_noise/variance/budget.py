"""How the error that is asked for is shared between the linear part of a map and the pairs that say the rest."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from mri_noise.variance.calibration import (
    BOUND_OF_PAIRS,
    EVALUATIONS_OF_A_PAIR,
    GROWTH_OF_PAIRS,
)
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.estimate import Channel
from mri_noise.variance.plan import Plan


@dataclass(frozen=True, slots=True)
class Budget:
    """A target of the whole map, and the evaluations that are left for it.

    Attributes
    ----------
    target
        NRMSE of the std map.
    most
        Evaluations.
    excess
        What the pairs so far say; None: the target is of the linear part alone.
    channel
        Of which the target is.
    bound
        95 % bound of the error of replicas, in units of its expectation.
    """

    target: float
    most: int
    excess: Excess | None
    channel: Channel
    bound: float = 1.0

    def cheapest(self, plan_within: Callable[[float, int], Plan | None]) -> Plan | None:
        """Choose how many pairs there are to be in the end, and the plan of the linear part that then is enough.

        Errors of both add in quadrature. Where no choice is within the target, that of the least error is taken.

        Parameters
        ----------
        plan_within
            Of a target and a number of evaluations that are left, the plan of the linear part; None if there is none.
        """
        if self.excess is None or self.excess.is_none(self.channel):
            return plan_within(self.target, self.most)
        now, found = self.excess.pairs.n, []
        n_pairs = now
        while EVALUATIONS_OF_A_PAIR * (n_pairs - now) <= self.most // 2:
            error = self.excess.nrmse(n_pairs, self.channel)
            left = self.most - EVALUATIONS_OF_A_PAIR * (n_pairs - now)
            share = max(self.target**2 - (BOUND_OF_PAIRS * error) ** 2, (_LEAST_SHARE * self.target) ** 2) ** 0.5
            plan = plan_within(share, left)
            if plan is not None:
                found.append(replace(plan, n_pairs=n_pairs, error_of_pairs=error, total_target=self.target))
            n_pairs = max(n_pairs + 1, round(GROWTH_OF_PAIRS * n_pairs))
        replicas = self._replicas(found[0]) if found else None
        found += [] if replicas is None else [replicas]
        enough = [plan for plan in found if plan.reaches_target]
        if enough:
            return min(enough, key=lambda plan: plan.cost_from(now))
        return min(found, key=lambda plan: plan.total_bound, default=None)

    def _replicas(self, plan: Plan) -> Plan | None:
        """As many replicas as are within the target; None if there may not be as many.

        The error of N is 1 / sqrt(2 N) for the magnitude and 1 / sqrt(4 N) for the complex image.
        """
        share = 2 if self.channel == "magnitude" else 4
        n = math.ceil(self.bound**2 / (share * self.target**2) - 1e-9)
        if n > self.most:
            return None
        error = 1 / math.sqrt(share * n)
        return replace(
            plan, lattice=None, reach=None, n_signs=n, nrmse=error, upper_bound=self.bound * error, n_pairs=0,
            error_of_pairs=0.0, total_target=self.target, replicas=True,
        )  # fmt: skip


_LEAST_SHARE = 0.2
"""Of the target that is always left to the linear part, where pairs alone would not reach it."""
