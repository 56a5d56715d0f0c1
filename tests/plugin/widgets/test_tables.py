import math

import pandas as pd
import pytest
from pytestqt.qtbot import QtBot

from mri_noise.plugin.canvas.side_by_side import round_up
from mri_noise.plugin.widgets.tables import Table, power_of_ten, written
from tests.plugin.users import PATIENCE


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


@pytest.mark.parametrize(
    ("numbers", "power"),
    [
        ([0.0233, 0.000893], -3),
        ([9.6e-7, 4.3e-8], -9),
        ([1.05, 0.0004], 0),
        ([0.1, math.nan], 0),
        ([-0.0999], -3),
        ([1234.0], 0),
        ([2.5e6], 6),
        ([0.0, math.nan], 0),
        ([], 0),
    ],
)
def test_a_power_of_ten_leaves_three_digits_before_the_point(numbers: list[float], power: int) -> None:
    assert power_of_ten(pd.DataFrame([numbers], dtype=float)) == power


def test_rows_alike_have_a_power_of_ten_in_common(qtbot: QtBot) -> None:
    table = Table(
        short={"mean std": "std"}, meanings={"mean std": "of the voxels"}, same_units=[("mean std", "of mean")]
    )
    qtbot.addWidget(table)
    figures = {"ROI 1": [200, 0.0233, 0.000893], "ROI 2": [300, math.nan, 0.0127]}
    table.show_frame(pd.DataFrame(figures, index=["voxels", "mean std", "of mean"]))
    assert [table.verticalHeaderItem(row).text() for row in range(3)] == ["voxels", "std [10⁻³]", "of mean [10⁻³]"]
    assert [table.item(row, 0).text() for row in range(3)] == ["200", "23.3", "0.893"]
    assert [table.item(row, 1).text() for row in range(3)] == ["300", "", "12.7"]
    assert table.verticalHeaderItem(1).toolTip() == "mean std: of the voxels"
    assert table.frame.loc["of mean", "ROI 1"] == 0.000893


def test_rows_are_as_high_as_their_wrapped_words(qtbot: QtBot) -> None:
    table = Table(columns=("changed", "std"))
    qtbot.addWidget(table)
    table.show_frame(pd.DataFrame({"changed": ["acceleration 2, variance sketch"], "std": [0.5]}, index=["run 1"]))
    table.show()

    def settled() -> bool:
        return table.rowHeight(0) == max(table.sizeHintForRow(0), table.verticalHeader().sectionSizeHint(0))

    heights = []
    for width in (600, 200, 600):
        table.resize(width, 100)
        qtbot.waitUntil(settled, timeout=PATIENCE)
        heights.append(table.rowHeight(0))
    assert heights[0] == heights[2] < heights[1]


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
