"""How many pairs there are to be, and what is left of the target for the linear part."""

from dataclasses import dataclass, replace

import pytest
import torch

from mri_noise.variance.budget import Budget
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.pairs import Pairs
from mri_noise.variance.estimate import Channel
from mri_noise.variance.plan import Lattice, Plan

NOTHING = torch.zeros(4, 3, 1)


@dataclass(frozen=True, eq=False)
class Foretold(Excess):
    """An excess by four pairs, whose error falls with the root of their number."""

    error: float = 0.0

    def is_none(self, channel: Channel) -> bool:
        return self.error == 0

    def nrmse(self, n_pairs: int | None = None, channel: Channel = "magnitude") -> float:
        return self.error * (4 / (n_pairs or 4)) ** 0.5


def _foretold(error: float) -> Foretold:
    pairs = Pairs(NOTHING, NOTHING, NOTHING, torch.ones(1, 1, dtype=torch.bool), torch.ones(1))
    return Foretold(pairs, error=error)


def _plan_within(target: float, n_left: int) -> Plan | None:
    """Of products whose error is 20 % over the root of their number."""
    n_products = min(max(1, round((0.2 / target) ** 2)), n_left // 2)
    error = 0.2 / n_products**0.5
    return Plan(Lattice(1, n_products, 0), 1, error, error, 6, target, 2)


def _budget(error: float, target: float = 0.03, most: int = 2000) -> Plan:
    found = Budget(target, most, _foretold(error), "magnitude").cheapest(_plan_within)
    assert found is not None
    return found


def test_without_pairs_or_where_they_say_nothing_the_linear_part_has_it_all() -> None:
    for excess in (None, _foretold(0.0)):
        plan = Budget(0.03, 2000, excess, "magnitude").cheapest(_plan_within)
        assert plan == _plan_within(0.03, 2000)


@pytest.mark.parametrize("error", [0.005, 0.02, 0.05, 0.2])
def test_the_cheapest_choice_is_within_the_target_and_no_other_number_of_pairs_is_much_cheaper(error: float) -> None:
    plan = _budget(error)
    assert plan.reaches_target
    assert plan.total_target == 0.03
    others = []
    for n_pairs in range(4, 600):
        left = 0.03**2 - (1.08 * error) ** 2 * 4 / n_pairs
        if left > 0:
            others.append(3 * (n_pairs - 4) + 2 * round(0.2**2 / left))
    assert plan.cost_from(4) < 1.1 * min(others) + 2


def test_where_nothing_is_within_the_target_the_most_accurate_is_taken() -> None:
    plan = _budget(0.2, most=100)
    assert not plan.reaches_target
    assert plan.cost_from(4) <= 100
    assert plan.total_bound < _budget(0.2, most=40).total_bound


def test_pairs_that_are_there_cost_nothing_more() -> None:
    plan = replace(_budget(0.005), n_pairs=9)
    assert plan.cost_from(4) - plan.cost_from(9) == 15
    assert plan.cost_from(20) == plan.cost_from(9)
