"""A table of numbers that reads well in a narrow dock."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor, QFontMetrics
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from mri_noise.plugin.widgets.sections import AMBER

_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_TITLE_SIZE = 10  # [pixels]: of the titles of rows
_DENSE = f"""
QTableView {{font-size: 11px;}}
QHeaderView::section {{font-size: 11px; padding: 1px 2px;}}
QHeaderView::section:vertical {{font-size: {_TITLE_SIZE}px;}}
"""
_PADDING = 8  # [pixels] beside the title of a row
_SMALL, _LARGE = 1e-4, 1e7  # what is written without an exponent
_PLAIN = 0.1, 1e5  # rows whose largest number is between these have no power of ten
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Table(QTableWidget):
    """Shows a data frame: its index at the left, numbers at the right, three significant digits, nothing for NaN.

    Parameters
    ----------
    fits
        Whether it is as high as its rows, for a column that scrolls as a whole.
    short
        What long names of rows and columns are called; their tooltips say the whole.
    meanings
        What rows and columns are, for their tooltips.
    columns
        Those that are shown, all if none are named: the first wraps its lines, and a tooltip says the others.
    same_units
        Groups of rows in one unit: where their numbers are small or large they have a power of ten in common, which
        their titles name.
    amber
        Words that warn: their cells are amber, with a mark.
    """

    def __init__(
        self,
        *,
        fits: bool = False,
        short: Mapping[str, str] | None = None,
        meanings: Mapping[str, str] | None = None,
        columns: Sequence[str] = (),
        same_units: Sequence[Collection[str]] = (),
        amber: Collection[str] = (),
    ) -> None:
        super().__init__()
        self._fits, self._short, self._meanings, self._columns = fits, short or {}, meanings or {}, tuple(columns)
        self._same_units, self._amber = same_units, amber
        self._settling = QTimer(self)  # the header tells of a new width before it has it
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self.resizeRowsToContents)
        if columns:
            self.horizontalHeader().sectionResized.connect(lambda *_: self._settling.start())
        self.setStyleSheet(_DENSE)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().setDefaultSectionSize(20)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.frame = pd.DataFrame()

    def show_frame(self, frame: pd.DataFrame) -> None:
        """Show a data frame."""
        self.frame = frame
        shown = frame if frame.empty or not self._columns else frame[list(self._columns)]
        self.setRowCount(len(shown))
        self.setColumnCount(len(shown.columns))
        powers = {name: power_of_ten(shown.loc[shown.index.isin(rows)]) for rows in self._same_units for name in rows}
        for column, name in enumerate(shown.columns):
            self.setHorizontalHeaderItem(column, self._header(str(name), _in_lines(self._called(str(name)))))
        for row, name in enumerate(map(str, shown.index)):
            power = powers.get(name, 0)
            self.setVerticalHeaderItem(row, self._header(name, self._called(name) + _in_brackets(power)))
            whole = _in_words(frame.iloc[row]) if self._columns else ""
            for column in range(len(shown.columns)):
                item = QTableWidgetItem(written(scaled(shown.iat[row, column], power)))
                side = _LEFT if isinstance(shown.iat[row, column], str) else _RIGHT
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(whole)
                if isinstance(shown.iat[row, column], str) and shown.iat[row, column] in self._amber:
                    item.setText(f"▲ {item.text()}")
                    item.setForeground(QColor(AMBER))
                self.setItem(row, column, item)
        self.verticalHeader().setFixedWidth(self._width_of_titles())
        if self._columns and len(shown):
            self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            self.resizeRowsToContents()
        if self._fits:
            self.setFixedHeight(self._height())

    def choose_rows(self) -> None:
        """Let whole rows be selected, several with Ctrl or Shift."""
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)

    def chosen_rows(self) -> list[int]:
        """The rows that are selected, from above."""
        return sorted({index.row() for index in self.selectionModel().selectedRows()})

    def _called(self, name: str) -> str:
        return self._short.get(name, name)

    def _header(self, name: str, title: str) -> QTableWidgetItem:
        item = QTableWidgetItem(title)
        item.setToolTip(": ".join(filter(None, (name.strip(), self._meanings.get(name)))))
        return item

    def _width_of_titles(self) -> int:
        """Width of the titles of rows; the header itself reckons with a larger font, and takes a column's place."""
        font = self.verticalHeader().font()
        font.setPixelSize(_TITLE_SIZE)
        titles = [self.verticalHeaderItem(row).text() for row in range(self.rowCount())]
        return _PADDING + max(map(QFontMetrics(font).horizontalAdvance, titles), default=0)

    def _height(self) -> int:
        """Height of header, rows, the scroll bar that a wide table has, and the frame."""
        bar = self.horizontalScrollBar()
        below = bar.sizeHint().height() if bar.isVisible() else 0
        return self.horizontalHeader().height() + self.verticalHeader().length() + below + 2 * self.frameWidth()


def power_of_ten(numbers: pd.DataFrame) -> int:
    """The power, a multiple of 3, that leaves the largest number at most three digits before the point.

    0 where the numbers are short as they are.
    """
    largest = float(np.nanmax(np.abs(numbers.to_numpy(float)), initial=0.0))
    return 0 if largest == 0 or _PLAIN[0] <= largest < _PLAIN[1] else 3 * math.floor(math.log10(largest) / 3)


def scaled(value: object, power: int) -> object:
    """A number in units of a power of ten."""
    return value / 10.0**power if isinstance(value, float) and power else value


def _in_brackets(power: int) -> str:
    return f" [10{str(power).translate(_RAISED)}]" if power else ""


def written(value: object) -> str:
    """A number with three significant digits, a count in full, nothing for NaN."""
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return ""
    if value.is_integer() and abs(value) < _LARGE:
        return str(int(value))
    rounded = float(f"{value:.2e}")
    if not _SMALL <= abs(rounded) < _LARGE:
        return f"{value:.2e}"
    return f"{rounded:.{max(0, 2 - math.floor(math.log10(abs(rounded))))}f}"


def _in_words(row: "pd.Series[Any]") -> str:
    """All of a row, a line a column."""
    return "\n".join(f"{name}: {written(value)}" for name, value in row.items())


def _in_lines(title: str) -> str:
    """The title of a column, broken where it is a difference or names a slice."""
    return title.replace(" - ", "\n-\n").replace(", ", ",\n")
