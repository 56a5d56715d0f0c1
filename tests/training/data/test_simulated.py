from itertools import pairwise
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.masks import Random2D, RandomLines
from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.settings import SettingsError
from mri_noise.training.data.cache import AcquisitionCache
from mri_noise.training.data.simulated import Simulated, SimulatedSet
from mri_noise.training.example import Acquisition
from tests.training.heads import NoCache, small, write_head


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_head(tmp_path_factory.mktemp("heads"))


def _open(volume: str, **values: object) -> SimulatedSet:
    return small(volume, **values)(NoCache())


def _combined(acquisition: Acquisition) -> torch.Tensor:
    return (acquisition.coil_maps.conj() * centered_ifft(acquisition.kspace)).sum(0)


def _equal(a: Acquisition, b: Acquisition) -> bool:
    return torch.equal(a.kspace, b.kspace) and torch.equal(a.coil_maps, b.coil_maps)


def test_an_acquisition_depends_on_seed_and_index_alone(volume: str) -> None:
    forwards, backwards, other = _open(volume), _open(volume, n_subjects=9), _open(volume, seed=1)
    first = [forwards[index] for index in range(8)]
    second = [backwards[index] for index in reversed(range(8))][::-1]
    torch.manual_seed(3)
    assert all(_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(_equal(a, b) for a, b in pairwise(first))
    assert not _equal(first[0], other[0])


def test_slices_of_a_subject_share_its_scan_and_differ_in_position(volume: str) -> None:
    scans = _open(volume, n_subjects=3, n_slices=3)
    assert len(scans) == len(scans.subjects) == 9
    assert scans.subjects[2:4] == ("head-00000", "head-00001")
    slices = [scans[index] for index in range(3)]
    assert len({tuple(one.kspace.shape) for one in slices}) == 1
    assert len({float(_combined(one).abs().mean()) for one in slices}) == 3


@given(
    seed=st.integers(0, 2**31 - 1),
    rows=st.sampled_from([(16, 16), (24, 40)]),
    coils=st.sampled_from([(1, 1), (2, 2), (2, 6)]),
    calibrated=st.sampled_from([0.0, 1.0]),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_every_acquisition_is_as_promised(
    volume: str, seed: int, rows: tuple[int, int], coils: tuple[int, int], calibrated: float
) -> None:
    scans = _open(volume, seed=seed, rows=rows, columns=(24, 32), n_coils=coils, calibrated=calibrated, n_subjects=1)
    made = scans[0]
    n_coils, n_rows, n_columns = made.kspace.shape
    assert coils[0] <= n_coils <= coils[1]
    assert rows[0] <= n_rows <= rows[1]
    assert n_rows % 8 == n_columns % 8 == 0
    assert 24 <= n_columns <= 32
    assert made.kspace.dtype == made.coil_maps.dtype == torch.complex64
    assert bool(torch.isfinite(torch.view_as_real(made.kspace)).all())
    assert bool(made.mask.all())
    assert made.noise_level == 0
    power = made.coil_maps.abs().square().sum(0)
    inside = power > 0.5
    torch.testing.assert_close(power, inside.float(), rtol=0, atol=1e-5)
    assert float(torch.quantile(_combined(made).abs(), 0.99)) == pytest.approx(1, abs=1e-5)
    if calibrated == 0:
        assert bool(inside.all())
        torch.testing.assert_close(centered_fft(made.coil_maps * _combined(made)), made.kspace, rtol=0, atol=1e-5)


def test_noise_has_the_level_asked_for(volume: str) -> None:
    clean, noisy = _open(volume)[3], _open(volume, noise_level=0.1)[3]
    difference = (noisy.kspace - clean.kspace).abs().square() / 0.1**2
    assert noisy.noise_level == 0.1
    n = difference.numel()
    assert abs(float(difference.mean()) - 1) < 4 / n**0.5


def test_masks_of_one_and_of_two_dimensions_fit(volume: str) -> None:
    made = _open(volume)[0]
    shape = (made.mask.shape[0], made.mask.shape[1])
    lines = RandomLines(acceleration=2, n_calibration=8)(shape, made.phase_encode_axes)
    assert torch.equal(lines, lines[:1].expand(shape)), "one-dimensional masks lie along the columns"
    assert Random2D(acceleration=2, n_calibration=8)(shape, made.phase_encode_axes).shape == shape


def test_the_cache_holds_each_acquisition_once(volume: str, tmp_path: Path) -> None:
    choice = small(volume, n_subjects=2)
    first = choice(AcquisitionCache(tmp_path))
    made = [first[index] for index in range(4)]
    assert len(list(tmp_path.iterdir())) == 4
    again = small(volume, n_subjects=3)(AcquisitionCache(tmp_path))
    assert all(_equal(made[index], again[index]) for index in range(4))
    assert len(list(tmp_path.iterdir())) == 4
    assert not _equal(small(volume, seed=1)(AcquisitionCache(tmp_path))[0], made[0])


def test_a_set_can_be_sent_to_another_process(volume: str, tmp_path: Path) -> None:
    scans = small(volume)(AcquisitionCache(tmp_path))
    sent = ForkingPickler.loads(ForkingPickler.dumps(scans))
    assert sent.subjects == scans.subjects
    assert _equal(sent[1], scans[1])


def test_an_index_beyond_the_end_is_refused(volume: str) -> None:
    for index in (-1, 8):
        with pytest.raises(IndexError, match="not among the 8 simulated ones"):
            _open(volume)[index]


def test_a_missing_volume_is_found_out_before_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no volume"):
        small(str(tmp_path / "none.nii"))(AcquisitionCache(tmp_path))


def test_ranges_are_checked(volume: str) -> None:
    with pytest.raises(SettingsError, match="'rows': the first value should not exceed the second, got 40 and 24"):
        small(volume, rows=(40, 24))
    with pytest.raises(SettingsError, match="rows"):
        small(volume, rows=(20, 24))


def test_volumes_are_chosen_by_weight(volume: str, tmp_path: Path) -> None:
    other = write_head(tmp_path, "other.nii.gz")
    weighted = [{"volume": volume, "weight": 3.0}, {"volume": other, "weight": 1.0}]
    scans = small(volume, volumes=weighted, n_subjects=400, n_slices=1)(AcquisitionCache(tmp_path))
    n_first = sum(name.startswith("head-") for name in scans.subjects)
    assert abs(n_first - 300) < 4 * (400 * 0.75 * 0.25) ** 0.5


def test_settings_survive_yaml() -> None:
    choice = Simulated(n_subjects=7, n_coils=(4, 4))
    assert Simulated.parse(choice.model_dump(mode="json")) == choice
