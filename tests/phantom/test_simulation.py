import pytest
import torch

from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.phantom.simulation import Phantom
from mri_noise.settings import SettingsError

SMALL = Phantom(matrix=(40, 33), n_slices=2, n_coils=3, noise_level=0.01, seed=5)
N_SAMPLES = 40 * 33


def _z(estimate: torch.Tensor, truth: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Errors of covariance entries in units of their standard error."""
    variances = truth.diagonal().real
    return (estimate - truth).abs() / (variances[:, None] * variances / n_samples).sqrt()


def test_scan_says_what_its_slices_are() -> None:
    scan = SMALL()
    assert (len(scan), scan.n_coils, scan.matrix, scan.phase_encode_axes) == (2, 3, (40, 33), (-1,))
    assert scan.voxel_size == pytest.approx((5, 240 / 40, 240 / 33))
    data = scan[1]
    assert data.kspace.shape == (3, 40, 33)
    assert data.kspace.dtype == torch.complex64
    assert data.mask.all()
    with pytest.raises(IndexError):
        scan[2]


def test_slices_are_the_same_in_whatever_order_they_are_read() -> None:
    first, again = SMALL()[1], SMALL()
    again[0]
    assert torch.equal(first.kspace, again[1].kspace)
    assert not torch.equal(first.kspace, again[0].kspace)


def test_noise_is_the_prescan_s() -> None:
    truth = SMALL.noise_covariance()
    data = SMALL()[0]
    quiet = SMALL.model_copy(update={"noise_level": 1e-6})()[0]
    noise = (data.kspace - quiet.kspace).flatten(1).to(torch.complex128)
    assert (_z(noise @ noise.mH / N_SAMPLES, truth, N_SAMPLES) < 4.5).all()
    assert data.noise is not None
    assert (_z(data.noise.covariance, truth, SMALL.prescan().shape[1]) < 4.5).all()
    cross = noise @ SMALL.prescan()[:, :N_SAMPLES].mH / N_SAMPLES
    assert (_z(truth + cross, truth, N_SAMPLES) < 4.5).all(), "prescan and slice are independent"


def test_reference_is_the_noiseless_root_sum_of_squares() -> None:
    quiet = SMALL.model_copy(update={"noise_level": 1e-9})()[0]
    images = centered_ifft(quiet.kspace)
    assert quiet.reference is not None
    torch.testing.assert_close(torch.linalg.vector_norm(images, dim=0), quiet.reference, rtol=1e-4, atol=1e-5)
    assert torch.equal(quiet.reference, SMALL()[0].reference)


def test_coil_maps_explain_the_images() -> None:
    quiet = Phantom(matrix=(64, 56), n_slices=1, noise_level=1e-9)()[0]
    maps, images = quiet.coil_maps, centered_ifft(quiet.kspace)
    assert maps is not None
    torch.testing.assert_close(maps.abs().square().sum(0), torch.ones(64, 56))
    residual = images - maps * (maps.conj() * images).sum(0)
    assert float(residual.norm() / images.norm()) < 0.04, "edges within a voxel are all that is left"


def test_image_is_a_head_in_the_middle_of_the_field_of_view() -> None:
    reference = Phantom(n_slices=1)()[0].reference
    assert reference is not None
    inside = reference > 0.1 * reference.max()
    rows, columns = inside.any(1).nonzero().flatten(), inside.any(0).nonzero().flatten()
    head = 1.875 * (rows[-1] - rows[0]), 1.875 * (columns[-1] - columns[0])
    assert 180 < head[0] < 215
    assert 140 < head[1] < 185
    assert abs(int(rows[0] + rows[-1]) - 128) < 10
    assert abs(int(columns[0] + columns[-1]) - 128) < 10


def test_matrix_cuts_the_same_k_space() -> None:
    """A smaller matrix of the same field of view is the centre of the larger one's k-space."""
    large, small = (
        Phantom(matrix=(n, n), n_slices=1, n_coils=2, noise_level=1e-9)()[0].kspace[:, n // 2, n // 2] / n
        for n in (96, 48)
    )
    torch.testing.assert_close(large, small, rtol=0.02, atol=0)


def test_fingerprint_tells_settings_apart() -> None:
    assert SMALL().fingerprint == SMALL().fingerprint
    assert SMALL().fingerprint != SMALL.model_copy(update={"seed": 6})().fingerprint


def test_noise_floor_is_white() -> None:
    """Without signal the k-space noise has one variance everywhere, so the FFT is orthonormal."""
    samples = SMALL.prescan()[:, :N_SAMPLES].reshape(3, 40, 33)
    torch.testing.assert_close(centered_fft(samples).norm(), samples.norm())


@pytest.mark.parametrize(
    "values",
    [{"matrix": (8, 128)}, {"n_slices": 0}, {"n_coils": 0}, {"noise_level": 0}, {"noise_correlation": 1}, {"seed": -1}],
)
def test_impossible_phantoms_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        Phantom.parse(values)
