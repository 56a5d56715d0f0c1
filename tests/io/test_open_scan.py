import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from mri_noise.io.formats import open_scan
from tests.io.bart_files import write_bart
from tests.io.ismrmrd_files import Header, lines_of, random_complex, write_ismrmrd

RNG = np.random.default_rng(7)


def _fastmri(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["kspace"] = random_complex(RNG, 2, 3, 6, 5)
    return path


def test_the_content_tells_the_format_and_not_the_name(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 3, 6, 5)
    assert open_scan(_fastmri(tmp_path / "a.cfl")).layout == "fastMRI HDF5"
    assert open_scan(write_ismrmrd(tmp_path / "b", Header((6, 5, 1)), lines_of(kspace))).layout == "ISMRMRD HDF5"
    write_bart(tmp_path / "c.h5", np.moveaxis(kspace, 0, -1)[:, :, None])
    assert open_scan(tmp_path / "c.h5").layout == "BART cfl"


@pytest.mark.parametrize("name", ["scan.v1", "scan.v1.cfl", "scan.v1.hdr"])
def test_bart_is_named_by_either_file_or_by_the_stem(tmp_path: Path, name: str) -> None:
    write_bart(tmp_path / "scan.v1", random_complex(RNG, 6, 5, 1, 3))
    scan = open_scan(str(tmp_path / name))
    assert (scan.name, scan.n_coils) == ("scan.v1.cfl", 3)


def test_an_ismrmrd_group_of_another_name_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_group("images/data")
    write_ismrmrd(path, Header((6, 5, 1)), lines_of(random_complex(RNG, 2, 6, 5)), group="measurement")
    assert open_scan(path).n_coils == 2


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _foreign(path: Path) -> None:
    path.write_bytes(b"\x89PNG not a scan")


def _truncated(path: Path) -> None:
    whole = _fastmri(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _no_kspace(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["image"] = np.zeros(3)
        file["kspace/in/a/group"] = 1


def _nothing(path: Path) -> None:
    h5py.File(path, "w").close()


def _lone_cfl(path: Path) -> None:
    path.with_suffix(".cfl").write_bytes(bytes(8))


def _lone_header(path: Path) -> None:
    path.with_suffix(".hdr").write_text("# Dimensions\n1\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no file '.*scan'; check the path"),
        (Path.mkdir, "'.*scan' is a folder"),
        (_empty, "'.*scan' is empty"),
        (_foreign, "'.*scan' is of no format that can be read: fastMRI HDF5, "),
        (_truncated, "cannot read '.*scan' as HDF5 .*truncated"),
        (_no_kspace, "'.*scan' has neither a dataset 'kspace' .* it has: image, kspace"),
        (_nothing, "'.*scan' has neither .* it has: nothing"),
        (_lone_cfl, "'.*scan.hdr' is missing"),
        (_lone_header, "'.*scan.cfl' is missing"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path, make, message: str) -> None:
    path = tmp_path / "scan"
    make(path)
    with pytest.raises(ValueError, match=message) as caught:
        open_scan(path)
    assert "\n" not in str(caught.value)


def test_a_slice_that_is_not_there_is_an_index_error(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match=r"slices 0 to 1"):
        open_scan(_fastmri(tmp_path / "a.h5"))[2]


def test_the_format_libraries_are_imported_when_they_are_needed() -> None:
    check = "import sys, mri_noise.io; assert not {'ismrmrd', 'sigpy', 'nibabel'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
