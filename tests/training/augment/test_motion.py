import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.training.augment.motion import Motion, shot_of_line
from tests.problems import equispaced
from tests.training.tiny import fully_sampled, random_points, tiny_example


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(4, 9), st.integers(4, 9)),
    st.booleans(),
    st.builds(Motion, amplitude=st.floats(0, 1), n_shots=st.integers(2, 4)),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_shifts_the_phase_of_each_shot(
    shape: tuple[int, int], of_rows: bool, motion: Motion, strength: float, seed: int
) -> None:
    mask = equispaced(*shape[::-1], 2, 2).mT if of_rows else equispaced(*shape, 2, 2)
    example = tiny_example(*shape, mask=mask)
    shifted = motion(example, strength, _generator(seed))
    torch.testing.assert_close(shifted.kspace.abs(), example.kspace.abs())
    turned = torch.where(mask, shifted.kspace / example.kspace, 1)
    lines = turned if of_rows else turned.mT
    torch.testing.assert_close(lines[..., :1].expand_as(lines), lines)
    sampled = lines[0, mask.any(-1 if of_rows else -2), 0]
    for shot in range(motion.n_shots):
        of_shot = sampled[shot :: motion.n_shots]
        torch.testing.assert_close(of_shot, of_shot[:1].expand_as(of_shot))
    bound = min(math.pi, 2 * math.pi * motion.amplitude * strength)
    assert (sampled.angle().abs() <= bound + 1e-9).all()
    centre = turned[:, shape[0] // 2, shape[1] // 2]
    torch.testing.assert_close(centre, torch.ones_like(centre))
    assert shifted.target is example.target


def test_two_shots_of_full_sampling_are_the_odd_and_the_even_lines() -> None:
    assert shot_of_line(fully_sampled(3, 7), 2).tolist() == [[0, 1, 0, 1, 0, 1, 0]]


def test_shots_take_sampled_lines_in_turn() -> None:
    mask = torch.tensor([True, False, False, True, True, False, True]).expand(3, 7)
    assert shot_of_line(mask, 3).flatten()[mask[0]].tolist() == [0, 1, 2, 0]
    assert shot_of_line(mask.mT, 3).shape == (7, 1)
    assert shot_of_line(random_points(6, 7), 2).shape == (1, 7)


@pytest.mark.parametrize(("amplitude", "strength"), [(0.0, 1.0), (0.5, 0.0)])
def test_no_strength_is_no_motion(amplitude: float, strength: float) -> None:
    example = tiny_example()
    assert torch.equal(Motion(amplitude=amplitude)(example, strength, _generator()).kspace, example.kspace)
