from dataclasses import replace
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
import pytest
from ismrmrd import xsd

from mri_noise.io.formats import open_scan
from mri_noise.io.measurements import NoSuchMeasurement
from tests.io.bart_files import write_bart
from tests.io.ismrmrd_files import Header, Line, lines_of, noise_lines, random_complex, write_ismrmrd
from tests.io.reference_scans import REFERENCE

RNG = np.random.default_rng(31)
SMALL, LARGE = random_complex(RNG, 2, 4, 4), random_complex(RNG, 2, 2, 8, 6)
OF_SMALL, OF_LARGE = Header((4, 4, 1)), Header((8, 6, 1))


def _large() -> list[Line]:
    return [line for index in (0, 1) for line in lines_of(LARGE[index], slice=index)]


def _two(path: Path, names: tuple[str, str] = ("dataset_1", "dataset_2")) -> Path:
    """An adjustment scan, and the image."""
    write_ismrmrd(path, OF_SMALL, lines_of(SMALL), names[0])
    return write_ismrmrd(path, OF_LARGE, _large(), names[1])


def test_the_measurement_with_most_data_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    for names in (("dataset_1", "dataset_2"), ("dataset_2", "dataset"), ("dataset", "a")):
        scan = open_scan(_two(tmp_path / f"{names[1]}.h5", names))
        assert (scan.measurement, scan.measurements) == (names[1], tuple(sorted(names)))
        np.testing.assert_array_equal(scan[1].kspace, LARGE[1])
    scan = open_scan(tmp_path / "dataset_2.h5")
    assert scan.contents == ("dataset_1: 4 x 4, 1 slice", "dataset_2: 8 x 6, 2 slices")
    assert scan.choice == "dataset_2 (of dataset_1, dataset_2)"


def test_every_name_can_be_asked_for(tmp_path: Path) -> None:
    path = _two(tmp_path / "a.h5")
    default, small = open_scan(path), open_scan(path, "dataset_1")
    np.testing.assert_array_equal(small[0].kspace, SMALL)
    assert (small.measurement, small.matrix, small.measurements) == ("dataset_1", (4, 4), default.measurements)
    np.testing.assert_array_equal(open_scan(path, "dataset_2")[0].kspace, LARGE[0])
    assert open_scan(path, "dataset_2").fingerprint == default.fingerprint != small.fingerprint


def test_of_equals_the_later_is_read_and_numbers_count(tmp_path: Path) -> None:
    kspace = {number: random_complex(RNG, 2, 4, 4) for number in (10, 2, 1)}
    for number, values in kspace.items():
        write_ismrmrd(tmp_path / "a.h5", OF_SMALL, lines_of(values), f"dataset_{number}")
    scan = open_scan(tmp_path / "a.h5")
    assert scan.measurements == ("dataset_1", "dataset_2", "dataset_10")
    np.testing.assert_array_equal(scan[0].kspace, kspace[10])


def test_a_single_measurement_is_no_choice(tmp_path: Path) -> None:
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", OF_SMALL, lines_of(SMALL)))
    assert (scan.measurement, scan.measurements, scan.choice) == ("dataset", ("dataset",), "dataset")
    assert open_scan(tmp_path / "a.h5", "dataset").fingerprint == scan.fingerprint


def test_a_name_that_is_not_there_is_one_sentence_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(NoSuchMeasurement, match=r"no measurement 'x'; choose one of dataset_1, dataset_2$"):
        open_scan(_two(tmp_path / "a.h5"), "x")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["kspace"] = LARGE
    write_bart(tmp_path / "c", np.moveaxis(SMALL, 0, -1)[:, :, None])
    for name in ("b.h5", "c.cfl"):
        assert open_scan(tmp_path / name).measurement == ""
        with pytest.raises(NoSuchMeasurement, match=f"'.*{name[0]}.*' holds no measurement 'x'; it is a single one"):
            open_scan(tmp_path / name, "x")


def test_every_encoding_is_a_measurement(tmp_path: Path) -> None:
    lines = [*lines_of(SMALL), *(replace(line, encoding=1) for line in _large())]
    path = write_ismrmrd(tmp_path / "a.h5", replace(OF_SMALL, others=(OF_LARGE,)), lines)
    scan = open_scan(path)
    assert scan.choice == "dataset/encoding 1 (of dataset/encoding 0, dataset/encoding 1)"
    assert scan.contents == ("dataset/encoding 0: 4 x 4, 1 slice", "dataset/encoding 1: 8 x 6, 2 slices")
    np.testing.assert_array_equal(scan[1].kspace, LARGE[1])
    np.testing.assert_array_equal(open_scan(path, "dataset/encoding 0")[0].kspace, SMALL)


def test_an_encoding_of_references_alone_is_none(tmp_path: Path) -> None:
    """The image is the second encoding here; the first serves for calibration."""
    reference = [replace(line, flags=REFERENCE) for line in lines_of(LARGE[1])]
    image = [replace(line, encoding=1) for line in lines_of(LARGE[0])][1::3]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", replace(OF_LARGE, others=(OF_LARGE,)), [*reference, *image]))
    assert scan.measurements == ("dataset",)
    np.testing.assert_array_equal(scan[0].kspace, LARGE[0] * (np.arange(6) % 3 == 1))
    np.testing.assert_array_equal(scan[0].calibration, LARGE[1])


def test_what_cannot_be_read_gives_way_but_says_why_if_it_is_named(tmp_path: Path) -> None:
    path = write_ismrmrd(tmp_path / "a.h5", OF_SMALL, lines_of(SMALL), "a")
    write_ismrmrd(path, replace(OF_LARGE, trajectory=xsd.trajectoryType.RADIAL), _large(), "b")
    write_ismrmrd(path, OF_LARGE, [replace(line, flags=(ismrmrd.ACQ_IS_REVERSE,)) for line in _large()], "c")
    write_ismrmrd(path, OF_LARGE, [replace(line, encoding=3) for line in _large()], "d")
    write_ismrmrd(path, "<no/>", _large(), "e")
    with ismrmrd.Dataset(path, "f", mode="a") as dataset:
        dataset.write_xml_header(OF_LARGE.to_xml())
        dataset._dataset["data"] = np.zeros(3)
    scan = open_scan(path)
    assert (scan.measurement, scan.measurements) == ("a", tuple("abcdef"))
    assert scan.contents[1:] == tuple(f"{name}: cannot be read" for name in "bcdef")
    np.testing.assert_array_equal(scan[0].kspace, SMALL)
    for name, message in {
        "b": "radial trajectory",
        "c": "reversed or compressed",
        "d": "encoding 3, and its header describes no more than 1",
        "e": "not a complete ISMRMRD header",
        "f": "not a table of ISMRMRD acquisitions",
    }.items():
        with pytest.raises(ValueError, match=rf"{message}.* \(this is measurement '{name}' of a, b, c, d, e, f\)$"):
            open_scan(path, name)


def _covariance(path: Path, measurement: str | None = None) -> np.ndarray:
    noise = open_scan(path, measurement)[0].noise
    assert noise is not None
    return noise.covariance.numpy()


def _sampled(prescan: list[Line]) -> np.ndarray:
    samples = np.concatenate([line.samples for line in prescan], axis=1).astype(np.complex128)
    return samples @ samples.conj().T / samples.shape[1]


@pytest.mark.parametrize(("said", "image_says", "factor"), [(0.8, 0.5, 0.8), (None, 0.5, 0.5), (0.8, None, 0.8)])
def test_a_group_of_noise_alone_is_the_prescan_of_the_others(
    tmp_path: Path, said: float | None, image_says: float | None, factor: float
) -> None:
    """Its dwell time is its own, and so is the bandwidth of its receiver where its header says that."""
    prescan = noise_lines(RNG, 2, 30, dwell_time=2.0)
    path = write_ismrmrd(tmp_path / "a.h5", replace(OF_SMALL, noise_bandwidth=said), prescan, "dataset_1")
    narrowed = replace(OF_LARGE, recon_fov=(120.0, 180.0, 5.0), noise_bandwidth=image_says)
    write_ismrmrd(path, narrowed, _large(), "dataset_2")
    scan = open_scan(path)
    assert (scan.measurements, scan.choice) == (("dataset_2",), "dataset_2")
    np.testing.assert_allclose(_covariance(path), _sampled(prescan) * (2.0 / 5.0) / factor, rtol=1e-6)
    noise = scan[0].noise
    assert noise is not None and noise.source == "noise prescan of 'a.h5', dataset_1"


def test_the_nearest_prescan_of_the_same_coils_counts_and_the_own_one_first(tmp_path: Path) -> None:
    prescans = [noise_lines(RNG, n_coils, 30) for n_coils in (2, 2, 3, 2)]
    own = noise_lines(RNG, 2, 30)
    path = tmp_path / "a.h5"
    for number, lines in enumerate([prescans[0], prescans[1], prescans[2], _large(), prescans[3], [*own, *_large()]]):
        write_ismrmrd(path, OF_LARGE, lines, f"dataset_{number}")
    assert open_scan(path).measurements == ("dataset_3", "dataset_5")
    np.testing.assert_allclose(_covariance(path, "dataset_3"), _sampled(prescans[1]), rtol=1e-6)
    np.testing.assert_allclose(_covariance(path, "dataset_5"), _sampled(own), rtol=1e-6)
    noise = open_scan(path, "dataset_5")[0].noise
    assert noise is not None and noise.source == "noise prescan of 'a.h5'"


def test_a_prescan_that_comes_later_or_has_no_header_serves_too(tmp_path: Path) -> None:
    prescan = noise_lines(RNG, 2, 30)
    path = write_ismrmrd(tmp_path / "a.h5", OF_LARGE, _large(), "dataset_1")
    write_ismrmrd(path, "<no/>", prescan, "dataset_2")
    np.testing.assert_allclose(_covariance(path), _sampled(prescan), rtol=1e-6)


def test_an_array_goes_before_acquisitions_and_both_are_named(tmp_path: Path) -> None:
    path = _two(tmp_path / "a.h5")
    alone = tmp_path / "b.h5"
    for each in (path, alone):
        with h5py.File(each, "a") as file:
            file["kspace"] = SMALL[None]
    write_ismrmrd(alone, OF_LARGE, noise_lines(RNG, 2, 30))
    scan = open_scan(path)
    assert (scan.layout, scan.choice) == ("fastMRI HDF5", "kspace (of kspace, dataset_1, dataset_2)")
    named = open_scan(path, "dataset_2")
    assert (named.layout, named.measurement) == ("ISMRMRD HDF5", "dataset_2")
    assert len({scan.fingerprint, named.fingerprint, open_scan(path, "dataset_1").fingerprint}) == 3
    assert open_scan(alone).choice == "kspace"
    with pytest.raises(NoSuchMeasurement, match="choose one of kspace, dataset_1, dataset_2"):
        open_scan(path, "x")
