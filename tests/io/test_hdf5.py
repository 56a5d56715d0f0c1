from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mri_noise.io.hdf5 import open_hdf5


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere.h5"
    with h5py.File(path, "w") as file:
        file["secret"] = np.arange(4.0)
    return path


def test_a_self_contained_file_is_readable_and_read_only(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["group/data"] = np.arange(3)
        file["inside"] = h5py.SoftLink("/group/data")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["group/cycle"] = file["/"]
        file["type"] = np.dtype("f8")
    with open_hdf5(path) as file:
        assert file["inside"][1] == 1
        assert file.mode == "r"


def _external_link(file: h5py.File, elsewhere: Path) -> None:
    file["deep/down/link"] = h5py.ExternalLink(str(elsewhere), "/secret")


def _soft_link_through_an_external_one(file: h5py.File, elsewhere: Path) -> None:
    file["door"] = h5py.ExternalLink(str(elsewhere), "/")
    file["kspace"] = h5py.SoftLink("/door/secret")


def _external_storage(file: h5py.File, elsewhere: Path) -> None:
    file.create_dataset("deep/kspace", shape=(4,), dtype="f8", external=[(str(elsewhere), 0, 32)])


def _virtual_dataset(file: h5py.File, elsewhere: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource(str(elsewhere), "secret", shape=(4,))
    file.create_virtual_dataset("kspace", layout)


@pytest.mark.parametrize(
    ("point_outside", "what"),
    [
        (_external_link, "'link' is an external link"),
        (_soft_link_through_an_external_one, "'door' is an external link"),
        (_external_storage, "'deep/kspace' is a dataset with external storage"),
        (_virtual_dataset, "'kspace' is a virtual dataset"),
    ],
)
def test_files_that_point_outside_are_refused(tmp_path: Path, elsewhere: Path, point_outside, what: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        point_outside(file, elsewhere)
    with pytest.raises(ValueError, match=rf"'{path}' is refused because {what}"), open_hdf5(path):
        pytest.fail("the file was opened")


def test_what_is_not_hdf5_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"no HDF5 at all")
    with (
        pytest.raises(ValueError, match=rf"^cannot read '{path}' as HDF5 \([^\n]*\); it may be truncated"),
        open_hdf5(path),
    ):
        pytest.fail("the file was opened")


def test_a_file_that_another_program_writes_is_one_sentence(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "busy.h5"
    h5py.File(path, "w").close()
    with path.open("rb+") as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        with (
            pytest.raises(ValueError, match=rf"^'{path}' is open for writing elsewhere; [^\n]*$"),
            open_hdf5(path),
        ):
            pytest.fail("the file was opened")


def test_a_missing_member_inside_the_block_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    h5py.File(path, "w").close()
    with pytest.raises(ValueError, match=r"cannot read .*kspace"), open_hdf5(path) as file:
        file["kspace"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_truncation_never_raises_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("group/data", data=np.arange(2000.0), chunks=(500,), compression="gzip")
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ValueError, match=r"cannot read"), open_hdf5(path) as file:
        file["group/data"][()]


def test_a_type_that_numpy_does_not_know_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"times", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((3,)))
    with pytest.raises(ValueError, match=r"'/times' in '.*a.h5' is of a type that cannot be read"), open_hdf5(path):
        pytest.fail("the file was opened")


def test_an_array_too_large_for_memory_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", shape=(2**26, 2**26), chunks=(1, 2**10), dtype="c16")
    with pytest.raises(ValueError, match=r"cannot read '.*a.h5' as HDF5 \(Unable to allocate"), open_hdf5(path) as file:
        file["kspace"][()]
