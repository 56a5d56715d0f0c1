import fcntl
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mri_noise.atomic import Draft, check_writable, replacing, replacing_all

KILLED = (
    "import os, signal, sys\n"
    "from pathlib import Path\n"
    "from mri_noise.atomic import replacing\n"
    "with replacing(Path(sys.argv[1])) as draft:\n"
    "    draft.write(b'part')\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
)


def test_takes_the_place_of_a_former_file_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    path.write_bytes(b"former")
    with replacing(path) as draft:
        draft.write(b"new")
        assert path.read_bytes() == b"former"
        assert draft.path.parent == path.parent
        assert draft.path.suffix == ".draft"
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


def _drafts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix == ".draft"]


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as draft:
        draft.write(content)


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    path.write_bytes(b"former")
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, path], check=False)
        assert path.read_bytes() == b"former"
        assert len(_drafts(tmp_path)) == 1  # the second process removed the draft of the first
    _write(path, b"new")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"out.h5": b"new"}


def test_writers_at_the_same_time_do_not_touch_each_other(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    with replacing(path) as draft:
        draft.write(b"first")
        _write(path, b"second")
        script = "import sys; from pathlib import Path; from mri_noise.atomic import replacing\n"
        script += "with replacing(Path(sys.argv[1])) as draft: draft.write(b'third')"
        subprocess.run([sys.executable, "-c", script, path], check=True)
        assert path.read_bytes() == b"third"
        assert _drafts(tmp_path) == [draft.path]
    assert path.read_bytes() == b"first"
    assert not _drafts(tmp_path)


def test_many_writers_at_once_all_succeed(tmp_path: Path) -> None:
    path, problems = tmp_path / "out.h5", []

    def write_often(content: bytes) -> None:
        try:
            for _ in range(30):
                _write(path, content)
        except ValueError as error:
            problems.append(error)

    threads = [threading.Thread(target=write_often, args=(1000 * bytes([number]),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(set(path.read_bytes())) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_own_drafts_are_left_where_a_lock_does_not_stop_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda file, operation: None)  # as NFS does it for one process
    with replacing(tmp_path / "out.h5") as draft:
        _write(tmp_path / "out.h5", b"second")
        assert draft.path.exists()


def test_a_draft_that_was_taken_for_abandoned_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, taken = Draft.lock, []

    def late(draft: Draft) -> bool:
        if not taken:
            taken.append(draft.path)
            draft.path.unlink()
        return lock(draft)

    monkeypatch.setattr(Draft, "lock", late)
    _write(tmp_path / "out.h5", b"new")
    assert taken
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"out.h5": b"new"}


def test_where_there_are_no_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "out.h5"], check=False)
    left = _drafts(tmp_path)

    def unsupported(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    _write(tmp_path / "out.h5", b"new")
    assert _drafts(tmp_path) == left != []


def test_drafts_of_other_computers_and_files_of_others_are_left(tmp_path: Path) -> None:
    names = {".out.h5.another-host.0123456789abcdef.draft", ".hidden.h5", f".out.h5.{platform.node()}.note.draft"}
    for name in names:
        (tmp_path / name).touch()
    _write(tmp_path / "out.h5", b"new")
    assert {path.name for path in tmp_path.iterdir()} == {*names, "out.h5"}


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "[a*?].h5", "...", "a b\n.csv"])
def test_any_name_that_a_file_may_have_can_be_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _write(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ZeroDivisionError])
def test_whatever_a_write_raises_is_raised_in_the_end(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"former")

    def fail() -> None:
        raise error

    with pytest.raises(error), replacing(path) as draft:
        draft.write(b"new")
        draft.attempt(fail, None)
        assert draft.write(b"more") == 4
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"out": b"former"}


def test_files_that_belong_together_take_their_places_together(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(b"former")
    with pytest.raises(ZeroDivisionError), replacing_all(paths) as drafts:
        for draft in drafts[:2]:
            draft.write(b"new")
        drafts[2].attempt(lambda: 1 / 0, 0.0)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"former"}
    with replacing_all(paths) as drafts:
        for draft in drafts:
            draft.write(b"new")
            assert {path.read_bytes() for path in paths} == {b"former"}
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == 3 * [b"new"]
