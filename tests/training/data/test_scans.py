import logging
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import mri_noise.training.data.scans as module
from mri_noise.acquisition.coils import LowResolution
from mri_noise.acquisition.noise_sources import NoiseLevel
from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.io.formats import open_scan
from mri_noise.operators.cartesian import Sense
from mri_noise.settings import SettingsError
from mri_noise.training.data.cache import AcquisitionCache
from mri_noise.training.data.scans import Scans, UnusableScan
from mri_noise.training.geometry import has_gaps
from tests.io.bart_files import write_bart
from tests.io.ismrmrd_files import Header, lines_of, write_ismrmrd
from tests.training.acquisitions import acquisition, image, write_scan


def scans(*paths: Path, **choices: object) -> Scans:
    return Scans.model_validate({"paths": paths, "coils": LowResolution(), **choices})


@pytest.fixture
def cache(tmp_path: Path) -> AcquisitionCache:
    return AcquisitionCache(tmp_path / "cache")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Slices that are read from files, in order."""
    reads: list[tuple[str, int]] = []

    def counting(path: Path) -> Scan:
        scan = open_scan(path)

        def read(index: int) -> Slice:
            reads.append((path.name, index))
            return scan.read(index)

        return replace(scan, read=read)

    monkeypatch.setattr(module, "open_scan", counting)
    return reads


@pytest.mark.parametrize("scale", [1e-7, 3e3])
def test_an_acquisition_is_white_and_in_units_of_bright_tissue(
    tmp_path: Path, cache: AcquisitionCache, scale: float
) -> None:
    (found,) = scans(write_scan(tmp_path / "a.h5", scale=scale))(cache)
    shown = Sense(found.coil_maps, found.mask).adjoint(found.kspace).abs()
    truth = image(32, 32).abs()
    inside = truth > 0
    # The maps are found anew from noisy data; they are as good as the texture is smooth.
    assert abs(float(torch.quantile(shown[inside], 0.99)) - 1) < 0.02
    assert found.noise_level == pytest.approx(0.01 / float(torch.quantile(truth[inside], 0.99)), rel=0.05)
    power = found.coil_maps.abs().square().sum(0)
    assert bool(((power - 1).abs() < 1e-5).logical_or(power == 0).all())


def test_correlated_noise_is_whitened(tmp_path: Path, cache: AcquisitionCache) -> None:
    path = write_scan(tmp_path / "a.h5")
    rng = np.random.default_rng(0)
    factor = 1e-6 * (np.eye(4) + 0.3 * (rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4))))
    noise = factor @ (rng.standard_normal((4, 32 * 32)) + 1j * rng.standard_normal((4, 32 * 32))) / np.sqrt(2)
    with h5py.File(path, "a") as file:
        covariance = factor @ factor.conj().T
        del file["noise_covariance"]
        file["noise_covariance"] = covariance
        file["kspace"][0] = file["kspace"][0] + noise.reshape(4, 32, 32)
    noisy = scans(path)(cache)[0]
    with h5py.File(path, "a") as file:
        file["kspace"][0] = file["kspace"][0] - noise.reshape(4, 32, 32)
    clean = module._acquisition(open_scan(path), 0, scans(path))
    # The scales of both differ by the share of noise in the brightest tissue.
    added = (noisy.kspace / noisy.noise_level - clean.kspace / clean.noise_level).flatten(1).to(torch.complex128)
    measured = added @ added.mH / added.shape[1]
    assert float((measured - torch.eye(4)).abs().max()) < 5 / np.sqrt(added.shape[1])


def test_files_of_every_format_are_found_in_folders(tmp_path: Path, cache: AcquisitionCache) -> None:
    kspace = 1e-3 * acquisition(32, 32, 4).kspace.numpy()
    inner = tmp_path / "scans" / "inner"
    inner.mkdir(parents=True)
    write_scan(tmp_path / "scans" / "a.h5")
    write_scan(tmp_path / "scans" / ".hidden.h5")
    write_ismrmrd(inner / "b.h5", Header((32, 32, 1)), lines_of(kspace))
    write_bart(inner / "c", np.moveaxis(kspace, 0, -1)[:, :, None])
    (inner / "notes.txt").write_text("not a scan")
    found = scans(tmp_path / "scans", noise=NoiseLevel(level=1e-5))(cache, strict=True)
    assert found.subjects == ("a.h5", "b.h5", "c.cfl")
    for index in range(3):
        assert found[index].kspace.shape == (4, 32, 32)
    torch.testing.assert_close(found[1].kspace, found[2].kspace, atol=1e-5, rtol=0)


def test_the_middle_slices_are_used_and_read_one_at_a_time(
    tmp_path: Path, cache: AcquisitionCache, counted: list[tuple[str, int]]
) -> None:
    path = write_scan(tmp_path / "a.h5", n_slices=6)
    found = scans(path, slices=0.5)(cache)
    assert len(found) == 3
    assert not counted
    assert found[1].kspace.shape == (4, 32, 32)
    assert counted == [("a.h5", 3)]
    found[0], found[2], found[1]
    assert counted == [("a.h5", 3), ("a.h5", 2), ("a.h5", 4)]


def test_what_was_read_is_kept_for_the_same_choices(
    tmp_path: Path, cache: AcquisitionCache, counted: list[tuple[str, int]]
) -> None:
    path = write_scan(tmp_path / "a.h5", n_slices=2)
    first = scans(path)(cache)[1]
    again = scans(path, slices=0.5)(cache)[0]
    assert counted == [("a.h5", 1)]
    assert again.kspace.equal(first.kspace)
    other = scans(path, coils=LowResolution(background=0.2))(cache)[1]
    assert counted == [("a.h5", 1)] * 2
    assert not other.coil_maps.equal(first.coil_maps)


def test_subjects_come_from_the_path(tmp_path: Path, cache: AcquisitionCache) -> None:
    for subject in ("sub-01", "sub-02"):
        (tmp_path / subject).mkdir()
        for run in ("a.h5", "b.h5"):
            write_scan(tmp_path / subject / run)
    folder = [tmp_path / "sub-01", tmp_path / "sub-02"]
    assert scans(*folder)(cache).subjects == ("a.h5", "b.h5", "a.h5", "b.h5")
    named = scans(*folder, subject="(sub-[0-9]+)/")(cache)
    assert named.subjects == ("sub-01", "sub-01", "sub-02", "sub-02")
    with pytest.raises(ValueError, match=r"subject of '.*a\.h5' is unknown because 'patient\(\.\)' does not match"):
        scans(*folder, subject="patient(.)")(cache, strict=True)


@pytest.mark.parametrize(("pattern", "message"), [("(", "is none:"), ("sub-..", "has 0"), ("(a)(b)", "has 2")])
def test_a_subject_is_one_group_of_a_regular_expression(pattern: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Scans.parse({"subject": pattern})


def test_a_corrupt_file_is_named_and_skipped_or_an_error(
    tmp_path: Path, cache: AcquisitionCache, caplog: pytest.LogCaptureFixture
) -> None:
    write_scan(tmp_path / "good.h5")
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    with caplog.at_level(logging.WARNING):
        assert scans(tmp_path)(cache).subjects == ("good.h5",)
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("WARNING", module.__name__)
    assert "bad.h5" in record.getMessage() and "\n" not in record.getMessage()
    with pytest.raises(ValueError, match=r"bad\.h5"):
        scans(tmp_path)(cache, strict=True)


def test_a_slice_that_cannot_be_used_names_its_file(tmp_path: Path, cache: AcquisitionCache) -> None:
    path = write_scan(tmp_path / "a.h5", n_slices=2)
    with h5py.File(path, "a") as file:
        file["kspace"][1, 0, 0, 0] = np.nan
    found = scans(path)(cache)
    assert bool(torch.isfinite(torch.view_as_real(found[0].kspace)).all())
    with pytest.raises(UnusableScan, match=r"^slice 1 of '.*a\.h5' cannot be used: .*NaN") as caught:
        found[1]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("where", ["empty", "missing", None])
def test_no_scans_are_said_in_one_sentence(tmp_path: Path, cache: AcquisitionCache, where: str | None) -> None:
    (tmp_path / "empty").mkdir()
    settings = scans(*([] if where is None else [tmp_path / where]))
    with pytest.raises(ValueError, match=f"no usable scans in '.*{where or 'paths'}'") as caught:
        settings(cache)
    assert "\n" not in str(caught.value)


def test_an_undersampled_scan_has_gaps(tmp_path: Path, cache: AcquisitionCache) -> None:
    lines = torch.zeros(32, dtype=torch.bool)
    lines[::2] = lines[10:22] = True
    (found,) = scans(write_scan(tmp_path / "a.h5", sampled=lines))(cache)
    assert has_gaps(found)
    assert found.mask.equal(lines.expand(32, 32))
