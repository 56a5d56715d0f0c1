"""The whole of a map: what is added to its linear part, with as many pairs as are asked for or needed."""

from dataclasses import replace

import pytest
import torch

from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.check.whole import Whole
from mri_noise.variance.estimate import ChannelVariance, VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Plan
from mri_noise.variance.sampling.exact import Exact
from tests.problems import Curved, louder, point_of, problem

PLAN = Plan(None, 20, 0.01, 0.01, 6, 0.02, 8, total_target=0.03)


@pytest.fixture(scope="module")
def point() -> OperatingPoint:
    """One that is not linear at its noise."""
    return louder(point_of(problem(rows=24, columns=30), Curved(0.1)), 6.0)


@pytest.fixture(scope="module")
def linear(point: OperatingPoint) -> VarianceEstimate:
    """Its linear part."""
    *_, exact = Exact(batch=60)(point, torch.Generator())
    return exact


def _whole(point: OperatingPoint, settings: LinearityCheck) -> Whole:
    generator = torch.Generator().manual_seed(0)
    return Whole(settings, point, generator, Excess(settings(point, generator)))


def test_there_are_as_many_pairs_as_a_plan_asks_for_and_their_evaluations_count(
    point: OperatingPoint, linear: VarianceEstimate
) -> None:
    plan = replace(PLAN, n_pairs=7, total_target=0.9)
    grown, found = _whole(point, LinearityCheck()).of(replace(linear, plan=plan))
    assert grown.excess.pairs.n == 7
    assert found.n_evaluations == linear.n_evaluations + 21
    assert grown.linearity is not None
    assert grown.linearity.n_pairs == 7
    assert not torch.equal(found.variance_magnitude, linear.variance_magnitude)


def test_a_complete_map_that_is_not_accurate_enough_gets_more_pairs(
    point: OperatingPoint, linear: VarianceEstimate
) -> None:
    few = _whole(point, LinearityCheck()).of(replace(linear, plan=replace(PLAN, n_pairs=4, total_target=0.9)))[1]
    wanted = 0.9 * few.nrmse(point.object)
    plan = replace(PLAN, n_pairs=4, total_target=wanted)
    grown, found = _whole(point, LinearityCheck()).of(replace(linear, plan=plan))
    assert 4 < grown.excess.pairs.n <= 8
    assert found.nrmse(point.object) < few.nrmse(point.object)
    part = replace(linear, plan=plan, n_samples=1)
    assert not part.complete
    assert _whole(point, LinearityCheck()).of(part)[0].excess.pairs.n == 4


def test_nothing_is_added_where_that_is_not_wanted(point: OperatingPoint, linear: VarianceEstimate) -> None:
    whole, found = _whole(point, LinearityCheck(correct=False)).of(linear)
    assert torch.equal(found.variance_magnitude, linear.variance_magnitude)
    assert whole.linearity is not None
    assert not whole.linearity.corrected


def test_replicas_are_all_there_is_of_a_map_that_is_planned_so(point: OperatingPoint) -> None:
    values = torch.full(point.object.shape, 2.0, dtype=torch.float64)
    plan = replace(PLAN, replicas=True)
    replicas = VarianceEstimate({"magnitude": ChannelVariance(values, values)}, 20, 28, 20, plan=plan)
    whole, found = _whole(point, LinearityCheck()).of(replicas)
    assert whole.linearity is None
    assert torch.equal(found.variance_magnitude, values)
    assert found.n_evaluations == 28 + 12
