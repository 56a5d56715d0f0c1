import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.coil_calibration import calibration_size
from mri_noise.operators.point_spread import undersampled_axes
from mri_noise.settings import SettingsError
from mri_noise.training.data.random_masks import MaskKind, RandomMasks

CHEAP: tuple[MaskKind, ...] = ("equispaced", "random-lines", "random-2d")


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(CHEAP),
    shape=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    axes=st.sampled_from([(-1,), (-2, -1)]),
    acceleration=st.tuples(st.floats(1, 36), st.floats(1, 36)).map(sorted),
    n_calibration=st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted),
)
def test_masks_of_any_shape_and_range_exist(
    kind: MaskKind, shape: tuple[int, int], axes: tuple[int, ...], acceleration: list[float], n_calibration: list[int]
) -> None:
    low, high = acceleration
    masks = RandomMasks(kinds=(kind,), acceleration=(low, high), n_calibration=(n_calibration[0], n_calibration[1]))
    mask = masks(shape, axes, np.random.default_rng(5))
    assert mask.shape == shape
    assert mask.equal(masks(shape, axes, np.random.default_rng(5)))
    if kind != "random-2d":
        assert undersampled_axes(mask) in ((), (-1,))


def test_accelerations_fill_their_range() -> None:
    masks = RandomMasks(kinds=("random-2d",), acceleration=(2, 8), n_calibration=(2, 5))
    generator = np.random.default_rng(0)
    drawn = [masks((48, 40), (-1,), generator) for _ in range(200)]
    accelerations = np.array([mask.numel() / int(mask.sum()) for mask in drawn])
    one_point = 48 * 40 / (48 * 40 / 8 - 1) - 8
    assert 2 - one_point < accelerations.min() and accelerations.max() < 8 + one_point
    # The mean of a uniform distribution from 2 to 8 is 5, and its variance 3.
    assert abs(accelerations.mean() - 5) < 4 * np.sqrt(3 / 200)


def test_calibration_regions_fill_their_range() -> None:
    masks = RandomMasks(kinds=("random-2d",), acceleration=(3, 3), n_calibration=(4, 9))
    generator = np.random.default_rng(0)
    sides = [min(calibration_size(masks((48, 40), (-1,), generator))) for _ in range(60)]
    assert min(sides) >= 4
    assert set(range(4, 10)) <= set(sides)


@pytest.mark.parametrize("acceleration", [2.0, 4.0, 8.0])
def test_calibration_lines_count_in_the_acceleration_of_equispaced_lines(acceleration: float) -> None:
    masks = RandomMasks(kinds=("equispaced",), acceleration=(acceleration, acceleration), n_calibration=(8, 8))
    for seed in range(20):
        mask = masks((4, 128), (-2, -1), np.random.default_rng(seed))
        assert bool(mask[:, 60:68].all())
        assert abs(int(mask[0].sum()) - 128 / acceleration) <= 1


def test_equispaced_lines_start_anywhere() -> None:
    masks = RandomMasks(kinds=("equispaced",), acceleration=(4, 4), n_calibration=(0, 0))
    generator = np.random.default_rng(0)
    lines = [masks((4, 20), (-1,), generator)[0].nonzero().flatten() for _ in range(40)]
    assert {int(places[0]) for places in lines} == {0, 1, 2, 3}
    assert all(bool((places.diff() == 4).all()) for places in lines)


def test_poisson_disc_masks_come_from_a_pool() -> None:
    masks = RandomMasks(kinds=("poisson-disc",), acceleration=(2, 5), n_calibration=(4, 6), n_poisson_discs=2)
    generator = np.random.default_rng(0)
    drawn = [masks((24, 32), (-1,), generator) for _ in range(12)]
    assert len({mask.numpy().tobytes() for mask in drawn}) == 2
    assert all(2 / 1.05 <= mask.numel() / int(mask.sum()) <= 5 * 1.05 for mask in drawn)
    assert all(min(calibration_size(mask)) >= 4 for mask in drawn)
    drawn[0][:] = False
    assert bool(masks((24, 32), (-1,), np.random.default_rng(0)).any())


def test_kinds_come_as_often_as_their_weights() -> None:
    masks = RandomMasks(kinds=("equispaced", "random-2d"), weights=(1, 3), n_calibration=(2, 2))
    generator = np.random.default_rng(0)
    n = 400
    of_lines = sum(len(undersampled_axes(masks((16, 16), (-1,), generator))) == 1 for _ in range(n))
    assert abs(of_lines - n / 4) < 4 * np.sqrt(n * 3 / 16)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"acceleration": (1.2, 4)}, "from 1.7 or more for masks .*poisson-disc"),
        ({"kinds": ("equispaced",), "acceleration": (0.5, 4)}, "from 1 or more"),
        ({"acceleration": (5, 4)}, "got 5 to 4"),
        ({"n_calibration": (9, 8)}, "n_calibration should be a range"),
        ({"kinds": ("equispaced", "random-2d"), "weights": (1,)}, "one for each of 2 kinds, got 1"),
    ],
)
def test_what_does_not_fit_is_said(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        RandomMasks.parse(values)
