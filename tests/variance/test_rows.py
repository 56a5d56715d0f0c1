"""Exact rows, and the error that they predict for any lattice."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.linop import dot_test
from mri_noise.variance.lattice.density import error_density
from mri_noise.variance.lattice.search import lattice_score
from mri_noise.variance.plan import Lattice
from mri_noise.variance.rows import covariance_rows, random_voxels
from tests.variance.operators import random_operator, random_region

SIZES = st.integers(1, 5)


@given(SIZES, SIZES, st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_rows_are_those_of_the_dense_covariance(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    operator, image = random_operator(rows, columns, generator)
    assert dot_test(operator, generator) < 1e-12
    voxels = random_voxels(torch.ones(rows, columns, dtype=torch.bool), 3, generator)
    got = covariance_rows(operator, image, voxels, chunk=2)
    dense = operator.magnitude_covariance(image)
    index = voxels[:, 0] * columns + voxels[:, 1]
    torch.testing.assert_close(got.covariance.flatten(1), dense[index])
    torch.testing.assert_close(got.variance, dense.diagonal()[index])


@given(SIZES, SIZES, st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_all_rows_predict_the_error_of_a_lattice_exactly(rows: int, columns: int, a: int, c: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    operator, image = random_operator(rows, columns, generator)
    region = random_region(rows, columns, generator)
    lattice = Lattice(a, c, seed % c)
    every = covariance_rows(operator, image, random_voxels(region, rows * columns, generator), chunk=4)
    inside = region.flatten()
    dense = operator.magnitude_covariance(image)[inside][:, inside]
    colours = lattice.colours((rows, columns)).flatten()[inside]
    together = (colours[:, None] == colours) & ~torch.eye(len(colours), dtype=torch.bool)
    variance = dense.diagonal()
    truth = ((dense**2 * together).sum(1) / (4 * variance)).sum() / variance.sum()
    assert lattice_score(error_density(every, region), lattice) == pytest.approx(float(truth), abs=1e-12)


def test_voxels_are_different_ones_of_the_region() -> None:
    region = torch.zeros(6, 7, dtype=torch.bool)
    region[2:4, 3:6] = True
    voxels = random_voxels(region, 100, torch.Generator().manual_seed(0))
    assert sorted(map(tuple, voxels.tolist())) == [(y, x) for y in (2, 3) for x in (3, 4, 5)]
    assert len(random_voxels(region, 4, torch.Generator().manual_seed(0))) == 4


def test_an_empty_object_is_refused() -> None:
    with pytest.raises(ValueError, match="the object is empty"):
        random_voxels(torch.zeros(3, 4, dtype=torch.bool), 2, torch.Generator())
