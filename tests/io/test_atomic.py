import os
import signal
import threading
from pathlib import Path

import pytest

from mri_noise.io.atomic import check_writable, replacing, uninterrupted


def test_takes_the_place_of_a_former_file_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    path.write_bytes(b"former")
    with replacing(path) as draft:
        draft.write(b"new")
        assert path.read_bytes() == b"former"
        assert draft.path.parent == path.parent
        assert draft.path.suffix == path.suffix
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_vanishes_if_anything_is_raised(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.h5"
    path.write_bytes(b"former")
    with pytest.raises(error), replacing(path) as draft:
        draft.write(b"new")
        raise error
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def test_follows_a_link_to_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target.h5", tmp_path / "link.h5"
    target.write_bytes(b"former")
    link.symlink_to(target)
    with replacing(link) as draft:
        draft.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "out"):
        pass
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "it is a folder"),
        ("absent/out.h5", "there is no folder"),
        ("file/out.h5", "there is no folder"),
        ("pipe", "not a regular file"),
        ("x" * 300, "name too long"),
    ],
)
def test_refuses_what_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=rf"(?i)^cannot write '.*{message}.*$"):
        check_writable(tmp_path / name)
    with pytest.raises(ValueError, match=rf"(?i)^cannot write '.*{message}.*$"), replacing(tmp_path / name):
        pytest.fail("started")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("protected", ["out.h5", "."])
def test_refuses_what_is_write_protected(tmp_path: Path, protected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.h5").touch()
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != tmp_path / protected)
    with pytest.raises(ValueError, match="write-protected"):
        check_writable(tmp_path / "out.h5")


def test_refuses_a_folder_that_takes_no_files() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc here, where nobody can make a file")
    with pytest.raises(ValueError, match=r"^cannot write '/proc/out.h5'"), replacing(Path("/proc/out.h5")):
        pytest.fail("started")


def test_a_full_disk_is_one_sentence_at_the_end_and_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are of POSIX")
    path = tmp_path / "out.h5"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(ValueError, match=r"^cannot write '.*out.h5' \(File too large\)"), replacing(path) as draft:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            assert draft.write(bytes(1500)) == 1500
            assert draft.write(bytes(10)) == 10
            draft.truncate(2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            steps.append("inside")
        steps.append("after")
    assert steps == ["inside"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_nothing_is_raised_in_any_thread() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            done.append(threading.current_thread())

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [threading.main_thread(), thread]
