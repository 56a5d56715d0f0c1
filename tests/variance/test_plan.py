"""The cheapest plan that is accurate enough is chosen."""

import numpy as np
import pytest

from mri_noise.variance.lattice import Lattice, ScoredLattice
from mri_noise.variance.plan import choose, smoothed

BEST = {index: ScoredLattice(Lattice(1, index, 0), score) for index, score in ((5, 4e-2), (20, 1e-3), (50, 4e-4))}


def _choose(target: float, **changed: int) -> tuple[int, int]:
    plan = choose(BEST, **{"target": target, "n_signs": 1, "largest_product": 1000, "n_pilots": 16, **changed})
    assert plan.upper_bound == pytest.approx(1.25 * plan.nrmse)
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
    plan = choose(BEST, target=1e-3, n_signs=1, largest_product=100, n_pilots=16)
    assert not plan.reaches_target


def test_no_probes_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match=r"raise variance\.max_evaluations"):
        _choose(0.1, largest_product=3)


def test_smoothing_keeps_the_sum_and_leaves_the_origin_out() -> None:
    density = np.zeros((9, 11))
    density[4, 5], density[4, 8] = 7.0, 1.0
    blurred = smoothed(density)
    assert blurred[4, 5] == 0
    assert blurred.sum() == pytest.approx(1)
    assert blurred[4, 8] == blurred[4, 2] == pytest.approx(0.5 * (0.5 + 0.125))
