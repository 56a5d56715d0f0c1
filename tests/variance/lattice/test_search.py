"""Lattices colour any image, keep equal colours apart, and are scored by what lies on them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.masks import Equispaced, PoissonDisc, RandomLines
from mri_noise.variance.lattice.search import best_lattices, ghosts, lattice_score, n_aliases
from mri_noise.variance.plan import Lattice


@st.composite
def lattices(draw: st.DrawFn) -> Lattice:
    column_step = draw(st.integers(1, 9))
    return Lattice(draw(st.integers(1, 6)), column_step, draw(st.integers(0, column_step - 1)))


@given(lattices(), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_equal_colours_differ_by_a_displacement_of_the_lattice(lattice: Lattice, rows: int, columns: int) -> None:
    colours = lattice.colours((rows, columns))
    assert int(colours.min()) >= 0
    assert int(colours.max()) < lattice.index
    first = colours[0, 0]
    for y in range(rows):
        for x in range(columns):
            assert (colours[y, x] == first) == ((y, x) in lattice)
            assert (colours[y, x] == colours[-1, -1]) == ((y - rows + 1, x - columns + 1) in lattice)


def test_an_image_that_holds_a_cell_shows_every_colour_equally_often() -> None:
    colours = Lattice(3, 5, 2).colours((6, 10))
    assert torch.bincount(colours.flatten()).tolist() == [4] * 15


@given(lattices(), st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_the_score_is_the_sum_over_the_points(lattice: Lattice, rows: int, columns: int, seed: int) -> None:
    density = np.random.default_rng(seed).random((2 * rows - 1, 2 * columns - 1))
    brute = sum(
        density[y + rows - 1, x + columns - 1]
        for y in range(1 - rows, rows)
        for x in range(1 - columns, columns)
        if (y, x) in lattice and (y, x) != (0, 0)
    )
    assert lattice_score(density, lattice) == pytest.approx(brute)


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_the_best_lattice_of_each_index_is_found(rows: int, columns: int, seed: int) -> None:
    density = np.random.default_rng(seed).random((2 * rows - 1, 2 * columns - 1))
    best = best_lattices(density, largest_index=12)
    for index, scored in best.items():
        assert scored.lattice.index == index
        assert scored.score == pytest.approx(lattice_score(density, scored.lattice))
        steps = [(a, index // a) for a in range(1, index + 1) if index % a == 0]
        every = [Lattice(a, c, b) for a, c in steps if a <= rows and c <= columns for b in range(c)]
        assert scored.score == pytest.approx(min(lattice_score(density, lattice) for lattice in every))


def test_an_image_of_one_voxel_has_the_lattice_of_index_one() -> None:
    assert best_lattices(np.ones((1, 1)), largest_index=10)[1].score == 0


def test_ghosts_of_an_equispaced_mask_are_known_and_avoided() -> None:
    avoid = ghosts(Equispaced(acceleration=4, n_calibration=8)((64, 64), (-1,)))
    assert {x for y, x in avoid if y == 0} == {-48, -32, -16, 16, 32, 48}
    best = best_lattices(np.zeros((127, 127)), avoid, largest_index=40)
    assert not any(displacement in scored.lattice for scored in best.values() for displacement in avoid)
    # a lattice of index p holds (0, p), so that no divisor of a ghost's displacement is left
    assert set(best) == {p for p in range(1, 41) if all(shift % p for shift in (16, 32, 48))}


def test_aliases_of_a_regular_mask_are_its_ghosts() -> None:
    columns, rows = torch.arange(64) % 4 == 0, torch.arange(64) % 2 == 0
    assert n_aliases(columns.expand(64, 64)) == pytest.approx(3)
    assert n_aliases(rows[:, None] & columns) == pytest.approx(7)
    assert n_aliases(torch.ones(64, 64, dtype=torch.bool)) == n_aliases(torch.ones(1, 1, dtype=torch.bool)) == 0


@pytest.mark.parametrize("mask", [RandomLines(n_calibration=12), PoissonDisc(n_calibration=12)])
def test_random_masks_have_no_ghosts(mask: RandomLines | PoissonDisc) -> None:
    assert not ghosts(mask((64, 64), (-1,)))
