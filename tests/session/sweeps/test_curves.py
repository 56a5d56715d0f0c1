import pytest

from mri_noise.readings import map_error
from mri_noise.session.sweeps.curves import Curve, traced
from tests.session.examples import steps


def test_a_curve_holds_the_error_after_each_number_of_evaluations() -> None:
    curve = Curve()
    for snapshot in steps():
        curve = curve.extended(snapshot.result)
    assert curve.evaluations == (16, 18, 20)  # with four pairs
    assert curve.errors[-1] == pytest.approx(100 * map_error(steps()[-1].result))
    assert curve.extended(steps()[-1].result) == curve


def test_a_run_is_traced_at_each_snapshot() -> None:
    followed = list(traced(iter(steps())))
    assert all(each.snapshot is step for each, step in zip(followed, steps(), strict=True))
    assert [len(each.curve.evaluations) for each in followed] == [0, 0, 0, 1, 2, 3]
