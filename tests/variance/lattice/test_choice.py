"""The cheapest plan that is accurate enough is chosen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mri_noise.variance.lattice.choice import Demand, choose, lattices_for, or_forward_products, smoothed
from mri_noise.variance.lattice.search import ScoredLattice
from mri_noise.variance.plan import Lattice, Plan

DEMAND = Demand(target=0.1, bound=1.15, n_signs=1, largest_product=1000, n_pilots=16, n_evaluations=8)
BEST = {index: ScoredLattice(Lattice(1, index, 0), score) for index, score in ((5, 4e-2), (20, 1e-3), (50, 4e-4))}


def _choose(target: float, **changed: int) -> tuple[int, int]:
    plan = choose(BEST, replace(DEMAND, target=target, **changed))
    assert plan.lattice is not None
    assert plan.upper_bound == pytest.approx(1.15 * plan.nrmse)
    return plan.lattice.index, plan.n_signs


def test_the_cheapest_of_those_within_the_target() -> None:
    assert _choose(0.3) == (5, 1)
    assert _choose(0.04) == (20, 1)
    assert _choose(0.03) == (20, 2)  # 40 probes instead of 50
    assert _choose(0.025) == (50, 1)
    assert _choose(0.025, n_signs=2) == (20, 3)


def test_the_most_accurate_one_where_none_is_within_the_target() -> None:
    assert _choose(1e-3, largest_product=60) == (20, 3)
    assert _choose(1e-3, largest_product=59) == (50, 1)
    plan = choose(BEST, replace(DEMAND, target=1e-3, largest_product=100))
    assert not plan.reaches_target


def test_no_probes_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match=r"raise variance\.max_evaluations"):
        _choose(0.1, largest_product=3)


def test_noise_correlated_over_a_wide_disc_takes_many_colours_once() -> None:
    """Voxels up to 25 apart are alike: hexagons that clear them take sqrt(3) / 2 27^2 = 631 colours, about."""
    y, x = np.mgrid[-63:64, -63:64]
    density, mask = 1e-4 * (np.hypot(y, x) <= 25), torch.ones(64, 64, dtype=torch.bool)
    plan = choose(lattices_for(density, mask, DEMAND.largest_product), replace(DEMAND, target=1e-3))
    assert plan.lattice is not None
    assert plan.n_signs == 1
    assert 585 < plan.lattice.index < 700
    assert plan.nrmse == 0


def test_smoothing_keeps_the_sum_and_leaves_the_origin_out() -> None:
    density = np.zeros((9, 11))
    density[4, 5], density[4, 8] = 7.0, 1.0
    blurred = smoothed(density)
    assert blurred[4, 5] == 0
    assert blurred.sum() == pytest.approx(1)
    assert blurred[4, 8] == blurred[4, 2] == pytest.approx(0.5 * (0.5 + 0.125))


def _or_forward(
    target: float,
    *,
    n_channels: int = 1,
    n_voxels: int = 10**9,
    max_evaluations: int = 10**6,
    least_saving: float = 0.0,
) -> Plan:
    return or_forward_products(
        choose(BEST, replace(DEMAND, target=target)),
        n_channels=n_channels,
        n_voxels=n_voxels,
        max_evaluations=max_evaluations,
        least_saving=least_saving,
    )


def test_forward_products_where_they_are_cheaper() -> None:
    assert _or_forward(0.11).lattice == BEST[20].lattice  # 40 evaluations, and 42 forward products
    cheaper = _or_forward(0.13)
    assert cheaper.lattice is None
    assert cheaper.n_products == 30
    assert cheaper.reaches_target


def test_two_channels_take_half_as_many_forward_products_and_pairs_of_probes() -> None:
    assert _or_forward(0.05, n_channels=2).lattice == BEST[20].lattice  # 80 evaluations, and 101 forward products
    cheaper = _or_forward(0.06, n_channels=2)
    assert cheaper.lattice is None
    assert cheaper.n_products == 70


def test_a_lattice_has_to_save_as_much_as_is_asked_for() -> None:
    """80 evaluations, and 101 forward products: it saves 21 %."""
    assert _or_forward(0.05, n_channels=2, least_saving=0.2).lattice == BEST[20].lattice
    assert _or_forward(0.05, n_channels=2, least_saving=0.22).lattice is None


def test_a_small_object_takes_more_forward_products_for_the_same_bound() -> None:
    few, many = (_or_forward(0.16, n_voxels=n) for n in (10**4, 10**9))
    assert few.n_products > many.n_products
    assert few.reaches_target
    assert few.nrmse < many.nrmse


def test_the_most_accurate_of_both_where_neither_is_within_the_target() -> None:
    assert _or_forward(1e-4, max_evaluations=2000).lattice is not None
    assert _or_forward(1e-4, max_evaluations=10**6).lattice is None


def test_a_plan_without_a_lattice_says_so() -> None:
    plan = _or_forward(0.13)
    assert plan.words.startswith("30 forward products")
    assert _or_forward(0.11).words == "lattice 1, 20, 0 of 20 colours, 1 x random signs"
    with pytest.raises(ValueError, match="this plan has no lattice"):
        plan.colours(torch.ones(2, 3, dtype=torch.complex64))
