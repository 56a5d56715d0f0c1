from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft
from mri_noise.training.augment.symmetry import Permutation, Symmetry, permuted, reflected, transposed
from tests.training.tiny import random_points, tiny_example

PERMUTATIONS = {
    "rows": partial(reflected, axis=-2),
    "columns": partial(reflected, axis=-1),
    "transposition": transposed,
    "half turn": lambda x: reflected(reflected(x, -1), -2),
    "quarter turn": lambda x: reflected(transposed(x), -1),
}
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)


@pytest.mark.parametrize("permutation", PERMUTATIONS.values(), ids=PERMUTATIONS)
@settings(deadline=None, max_examples=40)
@given(SHAPES, st.integers(1, 3), st.integers(0, 99))
def test_commutes_with_the_encoding(permutation: Permutation, shape: tuple[int, int], n_coils: int, seed: int) -> None:
    image, coil_maps = _random(*shape, seed=seed), _random(n_coils, *shape, seed=seed + 1)
    mask = random_points(*shape, seed)
    expected = permutation(Sense(coil_maps, mask)(image))
    torch.testing.assert_close(Sense(permutation(coil_maps), permutation(mask))(permutation(image)), expected)
    torch.testing.assert_close(centered_fft(permutation(image)), permutation(centered_fft(image)))


@pytest.mark.parametrize("permutation", PERMUTATIONS.values(), ids=PERMUTATIONS)
@given(SHAPES)
def test_moves_every_pixel_to_one_place_and_keeps_the_centre(permutation: Permutation, shape: tuple[int, int]) -> None:
    image = torch.arange(shape[0] * shape[1]).reshape(shape)
    moved = permutation(image)
    assert torch.equal(moved.flatten().sort().values, image.flatten())
    assert moved[moved.shape[0] // 2, moved.shape[1] // 2] == image[shape[0] // 2, shape[1] // 2]


@given(SHAPES)
def test_reflections_and_transposition_undo_themselves(shape: tuple[int, int]) -> None:
    image = torch.arange(shape[0] * shape[1]).reshape(shape)
    for name in ("rows", "columns", "transposition", "half turn"):
        assert torch.equal(PERMUTATIONS[name](PERMUTATIONS[name](image)), image)
    turned = image
    for _ in range(4):
        turned = PERMUTATIONS["quarter turn"](turned)
    assert torch.equal(turned, image)


def test_odd_sizes_are_flipped_and_even_ones_keep_their_first_line() -> None:
    assert reflected(torch.arange(5), -1).tolist() == [4, 3, 2, 1, 0]
    assert reflected(torch.arange(6), -1).tolist() == [0, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("permutation", PERMUTATIONS.values(), ids=PERMUTATIONS)
def test_whole_example_is_permuted(permutation: Permutation) -> None:
    example = tiny_example(8, 11)
    other = permuted(example, permutation)
    torch.testing.assert_close(other.kspace, other.encoding(other.target))
    assert torch.equal(other.target, permutation(example.target))


def test_all_eight_symmetries_are_equally_likely() -> None:
    example, generator = tiny_example(3, 3, 1), torch.Generator().manual_seed(1)
    n_draws = 800
    drawn = [Symmetry(transpose=True)(example, 1.0, generator).target for _ in range(n_draws)]
    counts = Counter(tuple(image.flatten().tolist()) for image in drawn)
    assert len(counts) == 8
    standard_error = np.sqrt(n_draws * (1 / 8) * (7 / 8))
    assert all(abs(count - n_draws / 8) < 4 * standard_error for count in counts.values())


def test_nothing_allowed_or_no_strength_is_the_example_itself() -> None:
    example, generator = tiny_example(), torch.Generator().manual_seed(1)
    for _ in range(10):
        assert Symmetry(rows=False, columns=False)(example, 1.0, generator) is example
        assert Symmetry(transpose=True)(example, 0.0, generator) is example
