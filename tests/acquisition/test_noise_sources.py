import re
from pathlib import Path

import numpy as np
import pytest
import torch

from mri_noise.acquisition.noise import noise_from_samples, noise_of_level, whitening_matrix
from mri_noise.acquisition.noise_sources import (
    MeasuredNoise,
    NoiseFromCorners,
    NoiseFromEdge,
    NoiseFromFile,
    NoiseFromPrescan,
    NoiseLevel,
)
from mri_noise.io.formats import open_scan
from mri_noise.operators.fourier import centered_fft, centered_ifft
from tests.problems import covariance, covariance_z, equispaced, noise_kspace

FULL = torch.ones(64, 48, dtype=torch.bool)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_corners_see_the_noise_and_not_the_object() -> None:
    noise = covariance(3, _generator())
    image = torch.zeros(3, 64, 48, dtype=torch.complex128)
    image[:, 20:40, 15:33] = 5
    kspace = centered_fft(image) + noise_kspace(noise)
    estimate = NoiseFromCorners(fraction=0.2)(kspace, FULL, None).covariance
    assert (covariance_z(estimate, noise.covariance, 4 * 13 * 10) < 4).all()


def test_a_corner_with_signal_is_left_out() -> None:
    noise = covariance(2, _generator())
    image = torch.zeros(2, 64, 48, dtype=torch.complex128)
    image[:, :8, :8] = 3
    measured = NoiseFromCorners()(centered_fft(image) + noise_kspace(noise), FULL, None)
    assert measured.source == "3 image corners of 6 x 5"
    assert (covariance_z(measured.covariance, noise.covariance, 3 * 6 * 5) < 4).all()


def test_corners_of_an_undersampled_slice_are_refused() -> None:
    with pytest.raises(ValueError, match="without gaps in its k-space only"):
        NoiseFromCorners()(noise_kspace(covariance(2, _generator())), equispaced(64, 48, 2), None)


def test_the_edge_of_kspace_holds_noise() -> None:
    noise = covariance(2, _generator())
    kspace = noise_kspace(noise)
    kspace[:, 24:40, 18:30] += 100
    mask = equispaced(64, 48, 2)
    n_samples = round(0.05 * int(mask.sum()))
    estimate = NoiseFromEdge()(kspace * mask, mask, None)
    assert (covariance_z(estimate.covariance, noise.covariance, n_samples) < 4).all()
    assert estimate.source == f"outermost {n_samples} k-space samples"


def test_measured_noise_takes_the_best_that_there_is() -> None:
    kspace, prescan = noise_kspace(covariance(2, _generator())), noise_of_level(2.0, 2)
    assert MeasuredNoise()(kspace, FULL, prescan) is prescan
    assert "corners" in MeasuredNoise()(kspace, FULL, None).source
    assert "outermost" in MeasuredNoise()(kspace, equispaced(64, 48, 2), None).source


def test_a_missing_prescan_is_an_error() -> None:
    with pytest.raises(ValueError, match="no noise prescan"):
        NoiseFromPrescan()(noise_kspace(covariance(2, _generator())), FULL, None)


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


def _ellipse(rows: int, columns: int) -> torch.Tensor:
    y, x = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in (rows, columns))
    return y[:, None].square() + x.square() <= 1


def _kept(rows: slice, columns: slice) -> torch.Tensor:
    mask = torch.zeros(64, 48, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


WITHOUT_GAPS = {
    "padded columns": _kept(slice(None), slice(7, 41)),
    "padded on both axes": _kept(slice(8, 57), slice(5, 40)),
    "partial Fourier": _kept(slice(None), slice(14, 48)),
    "asymmetric echo": _kept(slice(20, 64), slice(None)),
    "elliptical shutter": _ellipse(64, 48),
}


@pytest.mark.parametrize("name", WITHOUT_GAPS)
def test_what_was_not_sampled_around_the_samples_is_not_aliasing(name: str) -> None:
    """Corners of what does not alias show the noise of a sample, whatever share of k-space was sampled."""
    mask, noise = WITHOUT_GAPS[name], covariance(3, _generator())
    image = torch.zeros(3, 64, 48, dtype=torch.complex128)
    image[:, 24:40, 18:30] = 1
    estimates = [
        MeasuredNoise()((centered_fft(image) + noise_kspace(noise, seed=seed)) * mask, mask, None) for seed in range(30)
    ]
    assert all("corners" in estimate.source for estimate in estimates)
    mean = torch.stack([estimate.covariance for estimate in estimates]).mean(0)
    n_samples = estimates[0].n_samples
    assert n_samples is not None
    assert (covariance_z(mean, noise.covariance, 30 * n_samples) < 4.5).all()
    share = int(mask.sum()) / int(mask.any(0).sum() * mask.any(1).sum())
    n_corners, height, width = map(int, re.findall(r"\d+", estimates[0].source))
    assert n_samples == round(n_corners * height * width * share)


def test_corners_of_a_measured_scan_are_the_same_where_it_is_padded(shared_data: Path) -> None:
    piece = open_scan(shared_data / "brain_flash_16ch.h5")[0]
    whole = NoiseFromCorners()(piece.kspace, piece.mask, None)
    padded = torch.zeros(16, 128, 160, dtype=piece.kspace.dtype)
    padded[:, :, 16:144] = piece.kspace
    same = MeasuredNoise()(padded, (padded != 0).any(0), None)
    torch.testing.assert_close(same.covariance, whole.covariance)
    assert (same.source, same.n_samples) == (whole.source, whole.n_samples)


@pytest.mark.parametrize(
    "name", ["brain_flash_16ch.h5", "phantom_flash_16ch.h5", "brain_t1_7ch.h5", "phantom_ge_8ch_7slices.h5"]
)
def test_half_of_measured_noise_says_what_the_other_half_is(shared_data: Path, name: str) -> None:
    """Power of one half of the corners in coils that the other half whitens, over what that half says it is."""
    piece = open_scan(shared_data / name)[0]
    images = centered_ifft(piece.kspace.to(torch.complex128))
    side = max(1, round(0.1 * images.shape[1])), max(1, round(0.1 * images.shape[2]))
    corners = torch.cat([images[:, r, c] for r in (slice(0, side[0]), slice(-side[0], None)) for c in
                         (slice(0, side[1]), slice(-side[1], None))], dim=2).flatten(1)  # fmt: skip
    ratios = []
    for ours, theirs in ((0, 1), (1, 0)):
        matrix, after = whitening_matrix(noise_from_samples(corners[:, ours::2], "test"))
        power = (matrix @ corners[:, theirs::2]).abs().square().mean()
        ratios.append(float(power / after.covariance.diagonal().real.mean()))
    n = len(images) * corners.shape[1] / 4
    assert abs(sum(ratios) / 2 - 1) < 4 * (1.5 / n) ** 0.5
