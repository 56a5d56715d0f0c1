import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mri_noise.acquisition.masks import (
    AsAcquired,
    Equispaced,
    PoissonDisc,
    Random2D,
    RandomLines,
    Undersampling,
)
from mri_noise.operators.fourier import centered_fft
from mri_noise.settings import SettingsError

SHAPES = st.tuples(st.integers(16, 60), st.integers(16, 60))
AXES = st.sampled_from([(-1,), (-2, -1), (-2,)])
ACCELERATIONS = st.floats(1, 9)
SEEDS = st.integers(0, 2**32 - 1)
RANDOM = [
    RandomLines(acceleration=2, n_calibration=6),
    Random2D(acceleration=3, n_calibration=5),
    PoissonDisc(acceleration=3, n_calibration=5),
]


def _block(n_lines: int, n_calibration: int) -> list[int]:
    """The lines of a block around n // 2, which reaches one further to the low side if it is even."""
    return [n_lines // 2 + step for step in range(-(n_calibration // 2), n_calibration - n_calibration // 2)]


def _lines(mask: torch.Tensor, axis: int) -> torch.Tensor:
    """The one line pattern that is repeated along the other axis."""
    along = mask if axis == -1 else mask.T
    assert (along == along[:1]).all()
    return along[0]


def test_as_acquired_keeps_everything() -> None:
    assert AsAcquired()((5, 8), (-1,)).all()


@pytest.mark.parametrize("n_lines", [8, 9])
def test_a_single_calibration_line_is_the_centre_of_k_space(n_lines: int) -> None:
    mask = Random2D(acceleration=n_lines * 7, n_calibration=1)((7, n_lines), (-1,))
    constant = centered_fft(torch.ones(7, n_lines, dtype=torch.complex128)).abs() > 1e-9
    assert torch.equal(mask, constant)


@settings(deadline=None, max_examples=50)
@given(SHAPES, AXES, ACCELERATIONS, st.integers(0, 16), st.integers(0, 40))
@example((16, 17), (-1,), 1.35, 0, 17)
def test_equispaced_lines_are_the_spacing_apart(
    shape: tuple[int, int], axes: tuple[int, ...], acceleration: float, n_calibration: int, offset: int
) -> None:
    mask = Equispaced(acceleration=acceleration, n_calibration=n_calibration, offset=offset)(shape, axes)
    lines = _lines(mask, axes[-1])
    n_lines = shape[axes[-1]]
    assert lines[_block(n_lines, n_calibration)].all()
    without_block = Equispaced(acceleration=acceleration, n_calibration=0, offset=offset)(shape, axes)
    positions = _lines(without_block, axes[-1]).nonzero().flatten()
    assert lines[positions].all()
    assert abs(len(positions) - n_lines / acceleration) < 1
    steps = positions.diff().tolist()
    assert set(steps) <= {int(np.floor(acceleration)), int(np.ceil(acceleration))}


@pytest.mark.parametrize("acceleration", [1, 2, 3, 5])
@pytest.mark.parametrize("offset", [0, 1, 4, 11])
def test_equispaced_with_a_whole_acceleration_samples_one_line_in_each_period(acceleration: int, offset: int) -> None:
    lines = _lines(Equispaced(acceleration=acceleration, n_calibration=3, offset=offset)((6, 17), (-1,)), -1)
    expected = [(line - offset) % acceleration == 0 or line in (7, 8, 9) for line in range(17)]
    assert lines.tolist() == expected


@settings(deadline=None, max_examples=50)
@given(SHAPES, AXES, st.floats(1, 4), st.integers(0, 6), SEEDS)
def test_random_lines_miss_the_acceleration_by_chance_only(
    shape: tuple[int, int], axes: tuple[int, ...], acceleration: float, n_calibration: int, seed: int
) -> None:
    n_lines = shape[axes[-1]]
    n_calibration = min(n_calibration, int(n_lines / acceleration))
    choice = RandomLines(acceleration=acceleration, n_calibration=n_calibration, seed=seed)
    lines = _lines(choice(shape, axes), axes[-1])
    assert lines[_block(n_lines, n_calibration)].all()
    expected = n_lines / acceleration
    probability = (expected - n_calibration) / (n_lines - n_calibration) if n_lines > n_calibration else 0
    standard_error = np.sqrt((n_lines - n_calibration) * probability * (1 - probability))
    assert abs(int(lines.sum()) - expected) <= 5 * standard_error + 1e-6


def test_random_lines_reach_the_acceleration_on_average() -> None:
    n_seeds, n_lines, acceleration, n_calibration = 400, 60, 4, 6
    counts = [
        int(RandomLines(acceleration=acceleration, n_calibration=n_calibration, seed=seed)((1, n_lines), (-1,)).sum())
        for seed in range(n_seeds)
    ]
    probability = (n_lines / acceleration - n_calibration) / (n_lines - n_calibration)
    variance = (n_lines - n_calibration) * probability * (1 - probability)
    assert abs(np.mean(counts) - n_lines / acceleration) < 4 * np.sqrt(variance / n_seeds)


@settings(deadline=None, max_examples=30)
@given(SHAPES, ACCELERATIONS, st.integers(0, 5), st.floats(0, 20), SEEDS)
def test_random_2d_has_exactly_the_number_of_points(
    shape: tuple[int, int], acceleration: float, n_calibration: int, density: float, seed: int
) -> None:
    choice = Random2D(acceleration=acceleration, n_calibration=n_calibration, density=density, seed=seed)
    mask = choice(shape, (-2, -1))
    assert mask[_block(shape[0], n_calibration)][:, _block(shape[1], n_calibration)].all()
    assert int(mask.sum()) == round(shape[0] * shape[1] / acceleration)


def test_density_moves_random_points_to_the_centre() -> None:
    def share_in_the_middle(density: float) -> float:
        mask = Random2D(acceleration=4, n_calibration=0, density=density)((60, 45), (-2, -1))
        return float(mask[15:45, 11:34].sum() / mask.sum())

    n_points, area = 60 * 45 / 4, 30 * 23 / (60 * 45)
    assert abs(share_in_the_middle(0) - area) < 4 * np.sqrt(area * (1 - area) / n_points)
    assert area + 0.1 < share_in_the_middle(2) < share_in_the_middle(6)


@settings(deadline=None, max_examples=25)
@given(SHAPES, st.floats(2, 6), st.integers(0, 6), SEEDS)
def test_poisson_disc_reaches_the_acceleration(
    shape: tuple[int, int], acceleration: float, n_calibration: int, seed: int
) -> None:
    mask = PoissonDisc(acceleration=acceleration, n_calibration=n_calibration, seed=seed)(shape, (-2, -1))
    assert mask[_block(shape[0], n_calibration)][:, _block(shape[1], n_calibration)].all()
    assert mask.numel() / int(mask.sum()) == pytest.approx(acceleration, rel=0.055)
    assert not mask[[0, 0, -1, -1], [0, -1, 0, -1]].any(), "the corners stay empty"


def test_poisson_disc_points_keep_their_distance_and_random_points_do_not() -> None:
    def has_neighbours(mask: torch.Tensor) -> bool:
        edge = mask.clone()
        edge[16:48, 16:48] = False
        return bool((edge[1:] & edge[:-1]).any() or (edge[:, 1:] & edge[:, :-1]).any())

    assert not has_neighbours(PoissonDisc(acceleration=10, n_calibration=8)((64, 64), (-2, -1)))
    assert has_neighbours(Random2D(acceleration=10, n_calibration=8)((64, 64), (-2, -1)))


def test_poisson_disc_ends_where_the_search_of_sigpy_s_own_function_does_not() -> None:
    mask = PoissonDisc(acceleration=8, n_calibration=12, seed=3)((48, 32), (-2, -1))
    assert mask.numel() / int(mask.sum()) == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize("choice", RANDOM, ids=lambda choice: choice.kind)
def test_seed_decides_the_mask_and_nothing_global_is_drawn(choice: RandomLines | Random2D | PoissonDisc) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    mask = choice((40, 33), (-1,))
    after = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert (before[1] == after[1]).all()
    assert torch.equal(mask, choice((40, 33), (-1,)))
    assert not torch.equal(mask, choice.model_copy(update={"seed": 1})((40, 33), (-1,)))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Equispaced(n_calibration=21), "21 calibration lines do not fit into 20"),
        (RandomLines(n_calibration=21), "21 calibration lines do not fit into 20"),
        (Random2D(n_calibration=21), "21 calibration lines do not fit into 20"),
        (PoissonDisc(n_calibration=21), "21 calibration lines do not fit into 20"),
        (RandomLines(n_calibration=6, acceleration=4), "6 calibration lines of 20 are more than acceleration 4 allows"),
        (Random2D(n_calibration=14, acceleration=4), "14 x 14 calibration points of 30 x 20 are more than acceler"),
        (PoissonDisc(n_calibration=14, acceleration=4), "14 x 14 calibration points of 30 x 20 are more than acceler"),
        (PoissonDisc(n_calibration=4, acceleration=1.1), "reaches acceleration 1.1: the nearest is 1"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(
    choice: Equispaced | RandomLines | Random2D | PoissonDisc, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choice((30, 20), (-1,))


@pytest.mark.parametrize("kind", [Equispaced, RandomLines, Random2D, PoissonDisc])
@pytest.mark.parametrize("values", [{"acceleration": 0.9}, {"n_calibration": -1}, {"acceleration": float("nan")}])
def test_impossible_settings_are_refused(kind: type[Equispaced], values: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        kind.parse(values)


@pytest.mark.parametrize("choice", [AsAcquired(), Equispaced(), *RANDOM], ids=lambda choice: choice.kind)
def test_kind_tells_the_choices_apart(choice: Undersampling) -> None:
    assert TypeAdapter(Undersampling).validate_python(choice.model_dump()) == choice
