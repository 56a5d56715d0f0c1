import pytest
from hypothesis import given
from hypothesis import strategies as st

from mri_noise.settings import SettingsError
from mri_noise.training.augment.schedule import Schedule

SHARES = st.floats(0, 1)


@given(st.tuples(SHARES, SHARES).map(sorted), st.tuples(SHARES, SHARES).map(sorted))
def test_strength_never_falls_and_stays_within_bounds(ends: list[float], progress: list[float]) -> None:
    schedule = Schedule(start=ends[0], end=ends[1])
    earlier, later = (schedule(share) for share in progress)
    assert 0 <= earlier <= later <= 1


def test_strength_is_a_straight_line_between_its_ends() -> None:
    schedule = Schedule(start=0.2, end=0.6)
    assert [schedule(p) for p in (0.0, 0.2, 0.3, 0.4, 0.6, 1.0)] == pytest.approx([0, 0, 0.25, 0.5, 1, 1])
    assert [Schedule()(p) for p in (0.0, 0.5, 1.0)] == [1, 1, 1]


def test_ends_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(SettingsError, match="should not end before it starts"):
        Schedule.parse({"start": 0.5, "end": 0.2})
