"""Recorded results of benchmarks: what is written, and how two of them compare."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from platform import node
from typing import Any

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def recorded(path: Path, rows: list[dict[str, Any]], root: Path = BENCHMARKS) -> dict[str, Any]:
    """Record a table, and read what is written."""
    import_module("record").record(path, {"times": pd.DataFrame(rows)}, root=root)
    return json.loads(path.read_text(encoding="utf-8"))


def compare(*paths: Path) -> str:
    command = [sys.executable, str(BENCHMARKS / "compare.py"), *map(str, paths)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_record_says_where_its_numbers_are_from(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"network": "U-Net", "seconds": 1.5, "MB": None}]
    found = recorded(tmp_path / "new" / "a.json", rows)
    assert set(found) == {"commit", "dirty", "date", "machine", "versions", "results"}
    assert found["results"] == {"times": rows}
    assert set(found["machine"]) == {"processor", "cores", "threads", "system"}
    assert {"python", "torch", "napari-mri-noise"} <= set(found["versions"])
    assert node() not in json.dumps(found["machine"])


def test_a_record_outside_a_clone_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = recorded(tmp_path / "a.json", [], root=tmp_path)
    assert (found["commit"], found["dirty"]) == ("", False)


def test_two_records_compare_row_by_row(tmp_path: Path) -> None:
    recorded(tmp_path / "a.json", [{"network": "U-Net", "s": 2.0}, {"network": "MoDL", "s": 4.0}])
    recorded(tmp_path / "b.json", [{"network": "MoDL", "s": 3.0}, {"network": "VarNet", "s": 1.0}])
    said = compare(tmp_path / "a.json", tmp_path / "b.json")
    (row,) = (line.split() for line in said.splitlines() if line.strip().startswith("MoDL"))
    assert row == ["MoDL", "s", "4", "3", "0.75"]
    assert "in one of the files only: U-Net" in said
    assert "in one of the files only: VarNet" in said


def test_a_comparison_says_what_else_differs(tmp_path: Path) -> None:
    found = recorded(tmp_path / "a.json", [{"s": 2.0}])
    changed = {**found, "dirty": True, "machine": {**found["machine"], "threads": 99}}
    (tmp_path / "b.json").write_text(json.dumps(changed), encoding="utf-8")
    said = compare(tmp_path / "a.json", tmp_path / "b.json")
    assert "not the same: threads: " in said
    assert "B was measured with uncommitted changes" in said


def test_rows_without_words_pair_by_their_place() -> None:
    table = import_module("compare").compared([{"s": 1.0}, {"s": 2.0}], [{"s": 3.0}, {"s": 1.0}])
    assert table["B / A"].tolist() == [3.0, 0.5]
