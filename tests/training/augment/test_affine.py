from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.training.augment.affine import Affine, moved
from tests.training.tiny import random_points, tiny_example

AFFINE = Affine(rotation=90, translation=0.2, scaling=1.5, shear=20)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=30)
@given(st.tuples(st.integers(6, 12), st.integers(6, 12)), st.floats(0, 1), st.integers(0, 99))
def test_moved_target_explains_the_samples_as_well_as_before(
    shape: tuple[int, int], strength: float, seed: int
) -> None:
    example = tiny_example(*shape, mask=random_points(*shape), noise_level=0.3)
    example = replace(example, target=example.target + 0.1)
    result = AFFINE(example, strength, _generator(seed))
    residual = example.kspace - example.encoding(example.target)
    torch.testing.assert_close(result.kspace - result.encoding(result.target), residual)
    assert not result.kspace[:, ~example.mask].any()
    assert result.mask is example.mask


def test_a_quarter_turn_turns_coil_maps_and_target() -> None:
    example = tiny_example(9, 9, mask=random_points(9, 9))
    quarter = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    turned = moved(example, quarter, torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(turned.target, torch.rot90(example.target))
    torch.testing.assert_close(turned.coil_maps, torch.rot90(example.coil_maps, dims=(-2, -1)))
    torch.testing.assert_close(turned.kspace, turned.encoding(turned.target))


def test_no_strength_changes_nothing() -> None:
    example = tiny_example(noise_level=0.3)
    result = AFFINE(example, 0.0, _generator())
    for before, after in zip(
        (example.kspace, example.coil_maps, example.target),
        (result.kspace, result.coil_maps, result.target),
        strict=True,
    ):
        torch.testing.assert_close(after, before)


@pytest.mark.parametrize("seed", range(5))
def test_coil_maps_stay_of_unit_norm_or_zero(seed: int) -> None:
    result = AFFINE(tiny_example(), 1.0, _generator(seed))
    size = torch.linalg.vector_norm(result.coil_maps, dim=0)
    outside = size == 0
    torch.testing.assert_close(size[~outside], torch.ones_like(size[~outside]))
    assert not result.target[outside].any()


def test_image_grows_by_the_magnification_and_turns_by_the_angle() -> None:
    """A bump off the centre goes where the largest scaling or rotation of either sign would put it, or less far."""
    y, x = (torch.arange(33, dtype=torch.float64) - 16 for _ in range(2))
    bump = torch.exp(-((y[:, None] + 0) ** 2 + (x - 6) ** 2) / 4).to(torch.complex128)
    example = replace(tiny_example(33, 33), target=bump)
    alone = {"rotation": 0.0, "translation": 0.0, "scaling": 1.0, "shear": 0.0}
    for seed in range(8):
        grown = Affine(**{**alone, "scaling": 1.5})(example, 1.0, _generator(seed)).target.abs()
        assert grown.argmax() // 33 == 16
        assert round(6 / 1.5) <= grown.argmax() % 33 - 16 <= round(6 * 1.5)
        turned = Affine(**{**alone, "rotation": 30.0})(example, 1.0, _generator(seed)).target.abs()
        row, column = (turned.argmax() // 33 - 16).item(), (turned.argmax() % 33 - 16).item()
        assert abs(row) <= 3
        assert 5 <= column <= 6
        shifted = Affine(**{**alone, "translation": 0.1})(example, 1.0, _generator(seed)).target.abs()
        assert abs(shifted.argmax() // 33 - 16) <= 3
        assert abs(shifted.argmax() % 33 - 22) <= 3


def test_an_image_is_needed() -> None:
    with pytest.raises(ValueError, match="this example has none"):
        AFFINE(replace(tiny_example(), target=None), 1.0, _generator())
