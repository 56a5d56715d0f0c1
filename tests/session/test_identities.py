from dataclasses import replace
from pathlib import Path

from mri_noise.session.identities import distinct_names, distinct_titles, identity
from tests.session.examples import OPENED


def names(*paths: str) -> list[str]:
    return list(distinct_names([replace(OPENED, path=Path(path)) for path in paths]).values())


def test_names_take_the_folders_that_tell_them_apart() -> None:
    assert names("/a/scan.h5", "/b/other.h5") == ["scan.h5", "other.h5"]
    assert names("/a/scan.h5", "/b/scan.h5") == ["a/scan.h5", "b/scan.h5"]
    assert names("/a/x/scan.h5", "/b/x/scan.h5", "/a/y/scan.h5") == ["a/x/scan.h5", "b/x/scan.h5", "y/scan.h5"]
    assert names("/scan.h5", "/s/scan.h5") == ["scan.h5", "s/scan.h5"]


def test_a_file_is_one_scan_however_its_path_is_written(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    path = tmp_path / "s" / "scan.h5"
    path.touch()
    (tmp_path / "link.h5").symlink_to(path)
    ways = (path, tmp_path / "s" / ".." / "s" / "scan.h5", tmp_path / "link.h5")
    assert len({identity(replace(OPENED, path=each)) for each in ways}) == 1


def test_titles_are_those_of_scans_behind_their_folders() -> None:
    scans = [replace(OPENED, path=Path(f"/{folder}/scan.h5")) for folder in "ab"]
    assert list(distinct_titles(scans).values()) == [f"a/{OPENED.scan.name}", f"b/{OPENED.scan.name}"]
