"""Bundles of pilots: what they share out is all there is, and on average what single rows say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.linop import LinearOperator, Shape
from mri_noise.variance.lattice.bundles import Bundle, Spacing, compute_bundles, draw_bundles
from mri_noise.variance.lattice.density import bundled_density, error_density, shared_energy
from mri_noise.variance.lattice.directions import COMPLEX, MAGNITUDE
from mri_noise.variance.rows import covariance_rows, random_voxels
from tests.variance.operators import random_operator, random_region

SIZES = st.integers(1, 5)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_the_voxels_of_a_bundle_are_apart_in_both_directions(rows: int, columns: int, n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    region = random_region(rows, columns, generator)
    bundles = draw_bundles(region, n, generator)
    voxels = [tuple(voxel) for bundle in bundles for voxel in bundle.tolist()]
    assert len(set(voxels)) == len(voxels)
    assert all(bool(region[voxel]) for voxel in voxels)
    assert len(bundles) == min(n, int(region.sum())) or all(len(b) > 1 for b in bundles)
    for bundle in bundles:
        difference = (bundle[:, None] - bundle).abs().amin(-1)
        assert bool((difference + 10 * torch.eye(len(bundle)) >= 10).all())


@given(st.integers(1, 9), st.integers(0, 30), st.integers(1, 9), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_bundles_are_packed_as_told(apart: int, distance: int, most: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    region = random_region(40, 50, generator)
    for bundle in draw_bundles(region, 4, generator, Spacing(apart, distance, most)):
        difference = (bundle[:, None] - bundle).abs()[~torch.eye(len(bundle), dtype=torch.bool)]
        assert len(bundle) <= most
        assert bool((difference.amin(-1) >= apart).all())
        assert bool((difference.amax(-1) >= distance).all())


def test_an_empty_object_is_refused() -> None:
    with pytest.raises(ValueError, match="the object is empty"):
        draw_bundles(torch.zeros(3, 4, dtype=torch.bool), 2, torch.Generator())


@given(SIZES, SIZES, st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_bundles_of_one_voxel_are_rows(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    operator, image = random_operator(rows, columns, generator)
    region = random_region(rows, columns, generator)
    voxels = random_voxels(region, 3, generator)
    single = covariance_rows(operator, image, voxels, chunk=2)
    bundles = compute_bundles(operator, image, list(voxels[:, None]), generator, directions=MAGNITUDE, chunk=2)
    for bundle, row, variance in zip(bundles, single.covariance, single.variance, strict=True):
        torch.testing.assert_close(bundle.energy, row.square())
        torch.testing.assert_close(bundle.variance, variance[None])
    np.testing.assert_allclose(bundled_density(bundles, region), error_density(single, region), atol=1e-12)


@given(st.integers(12, 30), st.integers(12, 30), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_energy_is_shared_out_and_kept(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    (voxels,) = draw_bundles(torch.ones(rows, columns, dtype=torch.bool), 1, generator)
    row = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    bundle = Bundle(voxels, row[voxels[:, 0], voxels[:, 1]].clamp_min(0), row.square(), torch.ones(len(voxels)))
    expected = 0.01 + np.random.default_rng(seed).random((2 * rows - 1, 2 * columns - 1))
    energy = shared_energy(bundle, expected)
    assert bool((energy >= 0).all())
    torch.testing.assert_close(energy.sum(0), row.square())
    own = energy[torch.arange(len(voxels)), voxels[:, 0], voxels[:, 1]]
    torch.testing.assert_close(own, row.square()[voxels[:, 0], voxels[:, 1]])


def test_complex_bundles_have_the_energy_of_both_covariances() -> None:
    """Over random quarters, within four standard errors; their variances are complex ones."""
    generator = torch.Generator().manual_seed(0)
    operator, image = random_operator(4, 5, generator)
    c = operator.p @ operator.p.mH + operator.q @ operator.q.mH
    g = operator.p @ operator.q.mT + operator.q @ operator.p.mT
    voxels = torch.tensor([[1, 2], [3, 0]])
    rows = voxels[:, 0] * 5 + voxels[:, 1]
    bundles = [
        bundle
        for _ in range(100)
        for bundle in compute_bundles(operator, image, [voxels], generator, directions=COMPLEX, chunk=2)
    ]
    for found, truth in (
        (torch.stack([b.energy for b in bundles]), (c[rows].abs() ** 2 + g[rows].abs() ** 2).sum(0).reshape(4, 5) / 4),
        (torch.stack([b.variance for b in bundles]), c[rows, rows].real),
    ):
        error = found.std(0) / 100**0.5
        assert ((found.mean(0) - truth).abs() < 4 * error).all()


class Stationary(LinearOperator):
    """B = B^T: a circular convolution with a short kernel that has a ghost, and with gains that vary."""

    def __init__(self, rows: int, columns: int, generator: torch.Generator) -> None:
        kernel = torch.zeros(rows, columns, dtype=torch.float64)
        kernel[0, 0], kernel[0, 1], kernel[0, -1], kernel[1, 0], kernel[-1, 0] = 1, 0.4, 0.4, 0.2, 0.2
        kernel[0, columns // 3] = kernel[0, -(columns // 3)] = 0.3
        self._spectrum = torch.fft.fft2(kernel)
        self._gains = 0.5 + torch.rand(rows, columns, generator=generator, dtype=torch.float64)

    @property
    def in_shape(self) -> Shape:
        return tuple(self._gains.shape)

    @property
    def out_shape(self) -> Shape:
        return tuple(self._gains.shape)

    def _apply(self, x: torch.Tensor) -> torch.Tensor:
        return self._gains * torch.fft.ifft2(self._spectrum * torch.fft.fft2(x))

    def _adjoint(self, y: torch.Tensor) -> torch.Tensor:
        return torch.fft.ifft2(self._spectrum.conj() * torch.fft.fft2(self._gains * y))


def test_the_density_is_that_of_single_rows() -> None:
    """Near, at the ghost, and everywhere else: within four standard errors over 12 draws of bundles."""
    generator = torch.Generator().manual_seed(0)
    shape = (48, 60)
    operator = Stationary(*shape, generator)
    image = torch.ones(shape, dtype=torch.complex128)
    region = torch.ones(shape, dtype=torch.bool)
    differences = []
    for _ in range(12):
        voxels = draw_bundles(region, 4, generator)
        assert any(len(bundle) > 2 for bundle in voxels)
        together = bundled_density(
            compute_bundles(operator, image, voxels, generator, directions=MAGNITUDE, chunk=3), region
        )
        alone = error_density(covariance_rows(operator, image, torch.cat(voxels), chunk=8), region)
        pairs = [_parts(density) for density in (together, alone)]
        differences.append(np.subtract(*pairs) / pairs[1].sum())
    mean, error = np.mean(differences, axis=0), np.std(differences, axis=0, ddof=1) / 12**0.5
    assert (np.abs(mean) < 4 * error + 0.005).all()


def _parts(density: np.ndarray) -> np.ndarray:
    """Sums within 4 voxels of the origin, around the ghosts, and over what is left."""
    y, x = density.shape[0] // 2, density.shape[1] // 2
    near = density[y - 4 : y + 5, x - 4 : x + 5].sum() - density[y, x]
    ghosts = sum(density[y - 4 : y + 5, at - 4 : at + 5].sum() for at in (x - 40, x - 20, x + 20, x + 40))
    return np.array([near, ghosts, density.sum() - density[y, x] - near - ghosts])
