from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.encoding import centered_fft
from mri_noise.noise import (
    Colouring,
    MeasuredNoise,
    Noise,
    NoiseFromCorners,
    NoiseFromEdge,
    NoiseFromFile,
    NoiseFromPrescan,
    NoiseLevel,
    mix_coils,
    noise_from_samples,
    noise_of_level,
    white_probes,
    whitening_matrix,
)
from tests.problems import covariance, equispaced

FULL = torch.ones(64, 48, dtype=torch.bool)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _noise_kspace(noise: Noise, rows: int = 64, columns: int = 48, seed: int = 0) -> torch.Tensor:
    shape = (noise.covariance.shape[0], rows, columns)
    white = torch.randn(shape, generator=_generator(seed), dtype=torch.complex128)
    return mix_coils(torch.linalg.cholesky(noise.covariance), white)


def _z(estimate: torch.Tensor, truth: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Errors of covariance entries in units of their standard error sqrt(Psi_cc Psi_dd / n)."""
    diagonal = truth.diagonal().real
    return (estimate - truth).abs() / (diagonal[:, None] * diagonal[None, :] / n_samples).sqrt()


def test_covariance_of_noise_samples() -> None:
    noise = covariance(3, _generator())
    kspace = _noise_kspace(noise)
    estimate = noise_from_samples(kspace.flatten(1), "prescan").covariance
    assert (_z(estimate, noise.covariance, 64 * 48) < 4).all()
    assert (_z(2 * estimate, noise.covariance, 64 * 48) > 10).any(), "a wrong convention (variance of one part) shows"


def test_corners_see_the_noise_and_not_the_object() -> None:
    noise = covariance(3, _generator())
    image = torch.zeros(3, 64, 48, dtype=torch.complex128)
    image[:, 20:40, 15:33] = 5
    kspace = centered_fft(image) + _noise_kspace(noise)
    estimate = NoiseFromCorners(fraction=0.2)(kspace, FULL, None).covariance
    assert (_z(estimate, noise.covariance, 4 * 13 * 10) < 4).all()


def test_a_corner_with_signal_is_left_out() -> None:
    noise = covariance(2, _generator())
    image = torch.zeros(2, 64, 48, dtype=torch.complex128)
    image[:, :8, :8] = 3
    measured = NoiseFromCorners()(centered_fft(image) + _noise_kspace(noise), FULL, None)
    assert measured.source == "3 image corners of 6 x 5"
    assert (_z(measured.covariance, noise.covariance, 3 * 6 * 5) < 4).all()


def test_corners_of_an_undersampled_slice_are_refused() -> None:
    with pytest.raises(ValueError, match="fully sampled slice only"):
        NoiseFromCorners()(_noise_kspace(covariance(2, _generator())), equispaced(64, 48, 2), None)


def test_the_edge_of_kspace_holds_noise() -> None:
    noise = covariance(2, _generator())
    kspace = _noise_kspace(noise)
    kspace[:, 24:40, 18:30] += 100
    mask = equispaced(64, 48, 2)
    n_samples = round(0.05 * int(mask.sum()))
    estimate = NoiseFromEdge()(kspace * mask, mask, None)
    assert (_z(estimate.covariance, noise.covariance, n_samples) < 4).all()
    assert estimate.source == f"outermost {n_samples} k-space samples"


def test_measured_noise_takes_the_best_that_there_is() -> None:
    kspace, prescan = _noise_kspace(covariance(2, _generator())), noise_of_level(2.0, 2)
    assert MeasuredNoise()(kspace, FULL, prescan) is prescan
    assert "corners" in MeasuredNoise()(kspace, FULL, None).source
    assert "outermost" in MeasuredNoise()(kspace, equispaced(64, 48, 2), None).source


def test_a_missing_prescan_is_an_error() -> None:
    with pytest.raises(ValueError, match="no noise prescan"):
        NoiseFromPrescan()(_noise_kspace(covariance(2, _generator())), FULL, None)


def test_level_is_the_root_of_the_complex_variance() -> None:
    noise = NoiseLevel(level=3.0)(torch.zeros(2, 4, 5, dtype=torch.complex64), FULL[:4, :5], None)
    torch.testing.assert_close(noise.covariance, 9 * torch.eye(2, dtype=torch.complex128))


def test_covariance_from_a_file(tmp_path: Path) -> None:
    expected = covariance(2, _generator()).covariance
    np.save(tmp_path / "psi.npy", expected.numpy())
    kspace = torch.zeros(2, 4, 5, dtype=torch.complex64)
    torch.testing.assert_close(
        NoiseFromFile(path=tmp_path / "psi.npy")(kspace, FULL[:4, :5], None).covariance, expected
    )
    with pytest.raises(ValueError, match=r"should be of shape \(3, 3\), got \(2, 2\)"):
        NoiseFromFile(path=tmp_path / "psi.npy")(torch.zeros(3, 4, 5, dtype=torch.complex64), FULL[:4, :5], None)
    with pytest.raises(ValueError, match="cannot read a noise covariance"):
        NoiseFromFile(path=tmp_path / "absent.npy")(kspace, FULL[:4, :5], None)


def test_a_pickled_covariance_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot read a noise covariance"):
        NoiseFromFile(path=tmp_path / "objects.npy")(torch.zeros(1, 4, 5, dtype=torch.complex64), FULL[:4, :5], None)


@pytest.mark.parametrize(
    ("matrix", "complaint"),
    [
        ([[1, 1j], [1j, 1]], "should be Hermitian"),
        ([[1, 2], [2, 1]], "should be positive definite"),
        ([[0, 0], [0, 0]], "should be positive definite"),
        ([[float("nan"), 0], [0, 1]], "should be finite"),
    ],
)
def test_a_matrix_that_is_no_covariance_is_refused(matrix: list[list[complex]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Noise(torch.tensor(matrix, dtype=torch.complex128), "test")


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="4 coils needs at least 16 noise samples, got 15"):
        noise_from_samples(torch.zeros(4, 15, dtype=torch.complex64), "test")


@settings(max_examples=20, deadline=None)
@given(n_coils=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_whitening_makes_coils_equal_and_uncorrelated_and_keeps_the_scale(n_coils: int, seed: int) -> None:
    noise = covariance(n_coils, _generator(seed))
    matrix, white = whitening_matrix(noise)
    mean = noise.covariance.diagonal().real.mean()
    expected = (mean * torch.eye(n_coils)).to(torch.complex128)
    torch.testing.assert_close(matrix @ noise.covariance @ matrix.mH, expected)
    torch.testing.assert_close(white.covariance, expected)


def test_colouring_gives_noise_of_the_covariance_where_sampled() -> None:
    noise, mask = covariance(3, _generator()), equispaced(16, 12, 2)
    colouring = Colouring.of(noise, mask, torch.complex128)
    probes = next(white_probes(60, colouring.in_shape, _generator(), torch.zeros(1, dtype=torch.complex128),
                               draw="gaussian", chunk=60))  # fmt: skip
    coloured = colouring(probes)
    assert (coloured[..., ~mask] == 0).all()
    samples = coloured[..., mask].transpose(0, 1).flatten(1)
    estimate = samples @ samples.mH / samples.shape[1]
    assert (_z(estimate, noise.covariance, samples.shape[1]) < 4).all()


@pytest.mark.parametrize("draw", ["gaussian", "random phase"])
def test_probes_are_white_and_circular(draw: str) -> None:
    like = torch.zeros(1, dtype=torch.complex128)
    v = next(white_probes(4000, (3,), _generator(), like, draw=draw, chunk=4000))  # type: ignore[arg-type]
    assert v.shape == (4000, 3)
    covariance_error = (v.mH @ v / 4000 - torch.eye(3)).abs()
    pseudo = (v.mT @ v / 4000).abs()
    assert (covariance_error < 5 / 4000**0.5).all()
    assert (pseudo < 5 * (2 / 4000) ** 0.5).all()


@pytest.mark.parametrize("draw", ["gaussian", "random phase"])
def test_probes_do_not_depend_on_the_chunk(draw: str) -> None:
    like = torch.zeros(1, dtype=torch.complex64)
    chunks = [
        torch.cat(list(white_probes(7, (2, 3), _generator(), like, draw=draw, chunk=chunk)))  # type: ignore[arg-type]
        for chunk in (1, 3, 7)
    ]
    assert torch.equal(chunks[0], chunks[1])
    assert torch.equal(chunks[0], chunks[2])
