from pathlib import Path

import h5py
import pytest
import torch
from torch import Tensor

from mri_noise.acquisition.coil_calibration import calibration_size
from mri_noise.acquisition.coils import CoilMapping, Espirit, LowResolution, MapsFromFile, calibrated, doubts
from mri_noise.acquisition.noise import Noise, noise_of_level
from mri_noise.acquisition.scan import prewhitened
from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.phantom.simulation import Phantom
from tests.problems import equispaced, noise_kspace, smooth_maps

ROWS, COLUMNS, N_COILS = 48, 41, 5
FULL = torch.ones(ROWS, COLUMNS, dtype=torch.bool)
CALIBRATED = [Espirit(), LowResolution()]


def _object(dtype: torch.dtype = torch.complex128) -> tuple[Tensor, Tensor, Tensor]:
    """Coil maps, the k-space of a textured ellipse with smooth phase, and where it is."""
    maps = smooth_maps(N_COILS, ROWS, COLUMNS, dtype)
    y, x = torch.linspace(-1, 1, ROWS)[:, None], torch.linspace(-1, 1, COLUMNS)
    inside = (y / 0.75) ** 2 + (x / 0.65) ** 2 < 1
    texture = 1 + 0.3 * torch.rand(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    image = inside * texture * torch.exp(1j * (0.5 * x + y**2))
    return maps, centered_fft(maps * image.to(dtype)), inside


def _disagreement(maps: Tensor, truth: Tensor, where: Tensor) -> float:
    """Largest 1 - |<S, S_true>| over the object: zero where the maps differ by a phase only."""
    return float((1 - (maps.conj() * truth).sum(0).abs())[where].max())


@pytest.mark.parametrize("choice", CALIBRATED, ids=lambda choice: choice.kind)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_maps_are_normalised_and_of_the_data_s_type(choice: CoilMapping, dtype: torch.dtype) -> None:
    _, kspace, inside = _object(dtype)
    maps = choice(kspace, FULL, None)
    energy = maps.abs().square().sum(0)
    assert maps.dtype == dtype
    assert ((energy - 1).abs() < 1e-5).logical_or(energy == 0).all()
    assert energy[inside].all(), "the object is covered"
    assert not energy.all(), "the background is not"


@pytest.mark.parametrize(("choice", "bound"), [(Espirit(), 2e-3), (LowResolution(), 0.1)], ids=["espirit", "low"])
def test_maps_are_the_true_ones_up_to_a_phase(choice: CoilMapping, bound: float) -> None:
    truth, kspace, inside = _object()
    assert _disagreement(choice(kspace, FULL, None), truth, inside) < bound


def test_scale_of_the_data_does_not_matter() -> None:
    _, kspace, _ = _object(torch.complex64)
    for choice in CALIBRATED:
        torch.testing.assert_close(choice(1e-8 * kspace, FULL, None), choice(kspace, FULL, None), rtol=0, atol=1e-3)


@pytest.mark.parametrize("choice", CALIBRATED, ids=lambda choice: choice.kind)
def test_only_the_calibration_lines_matter(choice: CoilMapping) -> None:
    _, kspace, _ = _object()
    mask = equispaced(ROWS, COLUMNS, 40, 24)
    limited = choice.model_copy(update={"n_calibration": 24})
    torch.testing.assert_close(choice(kspace * mask, mask, None), limited(kspace, FULL, None))


def test_espirit_phase_is_relative_to_the_strongest_combination_even_if_a_coil_is_dark() -> None:
    truth, kspace, inside = _object()
    dark = torch.cat([1e-9 * kspace[:1], kspace])
    maps = Espirit()(dark, FULL, None)
    assert _disagreement(maps[1:], truth, inside) < 2e-3
    strongest = torch.linalg.svd(dark[:, 12:36, 8:32].flatten(1), full_matrices=False).U[:, 0]
    reference = torch.einsum("c,crk->rk", strongest.conj(), maps)[inside]
    phase = reference / reference[0]
    assert float(phase.imag.abs().max()) < 1e-9
    assert float(phase.real.min()) > 0


@pytest.mark.parametrize("choice", CALIBRATED, ids=lambda choice: choice.kind)
def test_single_and_dead_coils_get_their_maps(choice: CoilMapping) -> None:
    _, kspace, inside = _object()
    alone = choice(kspace[:1], FULL, None)
    torch.testing.assert_close(alone.abs()[0, inside], torch.ones(int(inside.sum()), dtype=torch.float64))
    dead = choice(torch.cat([torch.zeros_like(kspace[:1]), kspace]), FULL, None)
    assert not dead[0].any()
    torch.testing.assert_close(dead.abs().square().sum(0)[inside], torch.ones(int(inside.sum()), dtype=torch.float64))


def test_espirit_kernels_shrink_with_the_calibration_square() -> None:
    _, kspace, inside = _object()
    few = Espirit(n_calibration=8)(kspace, FULL, None)
    assert few.abs().sum(0)[inside].count_nonzero() > 0.99 * inside.sum()


def test_low_resolution_maps_hold_the_phase_of_the_object() -> None:
    _, kspace, inside = _object()
    maps = LowResolution()(kspace, FULL, None)
    image = (maps.conj() * centered_ifft(kspace)).sum(0)[inside]
    assert float(image.angle().abs().mean()) < 0.05


def test_file_s_maps_are_normalised() -> None:
    truth, kspace, _ = _object(torch.complex64)
    stored = 3 * truth.to(torch.complex128)
    stored[:, :5] = 0
    maps = MapsFromFile()(kspace, FULL, stored)
    assert maps.dtype == torch.complex64
    torch.testing.assert_close(maps[:, 5:], truth[:, 5:])
    assert not maps[:, :5].any()


def test_missing_maps_are_said() -> None:
    with pytest.raises(ValueError, match="holds no coil maps; set"):
        MapsFromFile()(_object()[1], FULL, None)


@pytest.mark.parametrize("choice", CALIBRATED, ids=lambda choice: choice.kind)
@pytest.mark.parametrize(
    ("mask", "n_calibration", "message"),
    [
        (equispaced(ROWS, COLUMNS, 4), None, "needs 8 x 8 fully sampled points .* but 48 x 1 are sampled"),
        (equispaced(ROWS, COLUMNS, 40, 7), None, "needs 8 x 8 .* but 48 x 7 are"),
        (equispaced(ROWS, COLUMNS, 40, 12), 16, "needs 16 x 16 .* but 48 x 12 are"),
        (torch.zeros(ROWS, COLUMNS, dtype=torch.bool), None, "but 0 x 0 are sampled"),
    ],
)
def test_small_calibration_areas_are_refused(
    choice: CoilMapping, mask: Tensor, n_calibration: int | None, message: str
) -> None:
    limited = choice.model_copy(update={"n_calibration": n_calibration})
    with pytest.raises(ValueError, match=message):
        limited(_object()[1] * mask, mask, None)


@pytest.mark.parametrize("choice", CALIBRATED, ids=lambda choice: choice.kind)
def test_data_without_signal_are_refused(choice: CoilMapping) -> None:
    with pytest.raises(ValueError, match="centre of k-space is zero"):
        choice(torch.zeros(N_COILS, ROWS, COLUMNS, dtype=torch.complex64), FULL, None)


@pytest.mark.parametrize(
    ("name", "signal_explained"),
    [("brain_poisson_8ch", 0.995), ("phantom_ge_8ch_7slices", 0.995), ("brain_flash_2ch_bodycoil", 0.98)],
)
def test_maps_of_measured_scans_cover_and_explain_the_object(
    shared_data: Path, name: str, signal_explained: float
) -> None:
    with h5py.File(shared_data / f"{name}.h5") as file:
        kspace = torch.from_numpy(file["kspace"][0])
    mask = (kspace != 0).any(0)
    size = min(24, *calibration_size(mask))
    centre = torch.zeros_like(kspace)
    top, left = (n // 2 - size // 2 for n in mask.shape)
    centre[:, top : top + size, left : left + size] = kspace[:, top : top + size, left : left + size]
    images = centered_ifft(centre)
    strength = torch.linalg.vector_norm(images, dim=0)
    inside = strength > 0.2 * strength.max()
    maps = Espirit()(kspace, mask, None)
    combined = (maps.conj() * images).sum(0)
    assert (maps.abs().sum(0)[inside] > 0).all()
    assert float(combined[inside].abs().square().sum() / strength[inside].square().sum()) > signal_explained


def _noise(level: float) -> Noise:
    return noise_of_level(level, N_COILS)


def test_maps_that_explain_the_data_are_not_doubted() -> None:
    maps, kspace, _ = _object()
    for choice in CALIBRATED:
        _, share = calibrated(choice, kspace, FULL, None, _noise(1e-3))
        assert share is not None and share < 0.02
        assert doubts(share) == ()
    _, share = calibrated(MapsFromFile(), kspace, FULL, maps, _noise(1e-3))
    assert share is not None and share < 1e-3


def test_an_object_larger_than_the_field_of_view_is_said() -> None:
    """Every second line of all of k-space is a complete scan of half the field of view: the head folds."""
    head = Phantom(matrix=(96, 96), n_coils=8, n_slices=1)()[0]
    assert head.noise is not None
    data, noise = prewhitened(head, head.noise)
    _, whole = calibrated(Espirit(), data.kspace, head.mask, None, noise)
    _, folded = calibrated(Espirit(), data.kspace[..., ::2].contiguous(), head.mask[:, ::2].contiguous(), None, noise)
    assert whole is not None and folded is not None
    assert whole < 0.01 and folded > 0.05
    (sentence,) = doubts(folded)
    assert "field of view may be smaller than the object" in sentence


def test_maps_of_other_data_are_said() -> None:
    maps, kspace, _ = _object()
    _, share = calibrated(MapsFromFile(), kspace, FULL, maps.flip(1), _noise(1e-3))
    assert share is not None and doubts(share)


@pytest.mark.parametrize("choice", CALIBRATED, ids=lambda choice: choice.kind)
@pytest.mark.parametrize("signal", [0.0, 1e-4])
def test_maps_that_would_come_from_noise_are_refused(choice: CoilMapping, signal: float) -> None:
    _, kspace, _ = _object()
    data = signal * kspace + noise_kspace(_noise(1.0), ROWS, COLUMNS)
    with pytest.raises(ValueError, match=r"the centre of k-space is no more than noise \(\d\.\d times"):
        calibrated(choice, data, FULL, None, _noise(1.0))


def test_the_centre_of_file_maps_need_not_be_sampled() -> None:
    maps, kspace, _ = _object()
    mask = equispaced(ROWS, COLUMNS, 3, offset=1)
    assert calibrated(MapsFromFile(), kspace * mask, mask, maps, _noise(1.0))[1] is None
    kspace[:, 10:38, 8:34] = 0
    assert calibrated(MapsFromFile(), kspace, FULL, maps, _noise(1.0))[1] is None
