from pathlib import Path

import pytest

from mri_noise.io.fingerprint import fingerprint

MIB = 2**20


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(bytes(3 * MIB))
    return path


@pytest.mark.parametrize("place", [0, MIB - 1, 2 * MIB, 3 * MIB - 1])
def test_a_change_at_either_end_changes_it(big: Path, place: int) -> None:
    before = fingerprint(big)
    with big.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    assert fingerprint(big) != before


def test_the_size_changes_it(big: Path) -> None:
    before = fingerprint(big)
    big.write_bytes(bytes(3 * MIB + 1))
    assert fingerprint(big) != before


def test_it_depends_on_content_alone(big: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(big.read_bytes())
    assert fingerprint(copy) == fingerprint(big)
    assert fingerprint(big).startswith("sha256:")
    assert len(fingerprint(big)) == len("sha256:") + 64


def test_bytes_that_move_from_one_file_to_the_next_change_it(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"xy")
    b.write_bytes(b"z")
    before = fingerprint(a, b)
    a.write_bytes(b"x")
    b.write_bytes(b"yz")
    assert fingerprint(a, b) != before


def test_each_part_of_a_file_has_its_own(big: Path) -> None:
    assert len({fingerprint(big), fingerprint(big, part="a"), fingerprint(big, part="b")}) == 3
    assert fingerprint(big, part="") == fingerprint(big)
