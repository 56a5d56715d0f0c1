import json
import re

import pandas as pd
import pytest

from mri_noise.cli import console

TABLE = pd.DataFrame({"name": ["a [s]", "b"], "time [s]": [1.23456, float("nan")], "count": [3, 40000]})


def _printed(capsys: pytest.CaptureFixture[str]) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


@pytest.fixture(autouse=True)
def _to_the_captured_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_out", console.Console(width=80))


def test_a_table_shows_names_with_brackets_and_rounds_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    console.show(TABLE)
    printed = _printed(capsys)
    assert "time [s]" in printed
    assert "a [s]" in printed
    assert "1.23 " in printed
    assert "40000" in printed
    assert "nan" not in printed


def test_few_rows_of_many_columns_stand_on_their_side(capsys: pytest.CaptureFixture[str]) -> None:
    wide = pd.DataFrame([{"slice": "slice 7", **{f"quantity {k}": float(k) for k in range(12)}}])
    console.show(wide)
    lines = [line for line in _printed(capsys).splitlines() if "quantity" in line]
    assert len(lines) == 12
    assert all(len(line) < 60 for line in lines)


def test_json_is_the_table_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    console.show(TABLE, TABLE.head(0), as_json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed)[0] == {"name": "a [s]", "time [s]": 1.23456, "count": 3}
    assert json.loads(printed)[1]["time [s]"] is None, "NaN is no JSON"


def test_json_names_the_rows_of_a_table_that_has_names(capsys: pytest.CaptureFixture[str]) -> None:
    console.show(pd.DataFrame({"sketch": {"seconds": 2.0}}), as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"quantity": "seconds", "sketch": 2.0}]


def test_empty_tables_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console.show(TABLE.head(0))
    assert _printed(capsys) == ""
