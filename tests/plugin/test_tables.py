import math

import pandas as pd
import pytest
from pytestqt.qtbot import QtBot

from mri_noise.plugin.side_by_side import round_up
from mri_noise.plugin.tables import Table, written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1138.9, "1140"),
        (0.66, "0.660"),
        (0.0008412, "0.000841"),
        (12.34, "12.3"),
        (0.9996, "1.00"),
        (-0.0395, "-0.0395"),
        (3.0, "3"),
        (1.234e-7, "1.23e-07"),
        (0.0, "0"),
        (math.nan, ""),
        (441, "441"),
        ("modl", "modl"),
    ],
)
def test_numbers_have_three_digits(value: object, text: str) -> None:
    assert written(value) == text


def test_rows_are_chosen_as_a_whole(qtbot: QtBot) -> None:
    table = Table(fits=True)
    qtbot.addWidget(table)
    table.choose_rows()
    table.show_frame(pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]}))
    assert table.item(1, 0).text() == "2"
    table.selectRow(2)
    assert table.chosen_rows() == [2]
    before = table.height()
    table.show_frame(pd.DataFrame({"a": [1.0]}))
    assert table.height() < before


def test_a_narrow_table_says_the_rest_in_its_tooltips(qtbot: QtBot) -> None:
    table = Table(short={"map error [%]": "err %"}, columns=("changed", "map error [%]"))
    qtbot.addWidget(table)
    table.show_frame(
        pd.DataFrame({"median std": [0.5], "changed": ["seed 1"], "map error [%]": [2.0]}, index=["run 1"])
    )
    assert [table.horizontalHeaderItem(column).text() for column in range(2)] == ["changed", "err %"]
    assert table.horizontalHeaderItem(1).toolTip() == "map error [%]"
    assert table.item(0, 0).text() == "seed 1"
    assert table.item(0, 1).toolTip() == "median std: 0.500\nchanged: seed 1\nmap error [%]: 2"
    table.show_frame(pd.DataFrame())
    assert table.rowCount() == table.columnCount() == 0


@pytest.mark.parametrize(("value", "rounded"), [(0.0078, 0.01), (0.01, 0.01), (0.011, 0.02), (3.1, 5.0), (51.0, 100.0)])
def test_windows_end_at_round_numbers(value: float, rounded: float) -> None:
    assert round_up(value) == pytest.approx(rounded)
