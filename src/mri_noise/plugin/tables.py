"""A table of numbers that reads well in a narrow dock."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_DENSE = "QTableView {font-size: 11px;} QHeaderView::section {font-size: 11px; padding: 1px 2px;}"
_SMALL, _LARGE = 1e-4, 1e7  # what is written without an exponent


class Table(QTableWidget):
    """Shows a data frame: its index at the left, numbers at the right, three significant digits, nothing for NaN.

    Parameters
    ----------
    fits
        Whether it is as high as its rows, for a column that scrolls as a whole.
    short
        What long names of rows and columns are called; their tooltips say the whole.
    columns
        Those that are shown, all if none are named: the first wraps its lines, and a tooltip says the others.
    """

    def __init__(
        self, *, fits: bool = False, short: Mapping[str, str] | None = None, columns: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._fits, self._short, self._columns = fits, short or {}, tuple(columns)
        if columns:
            self.horizontalHeader().sectionResized.connect(lambda *_: self.resizeRowsToContents())
        self.setStyleSheet(_DENSE)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.frame = pd.DataFrame()

    def show_frame(self, frame: pd.DataFrame) -> None:
        """Show a data frame."""
        self.frame = frame
        shown = frame if frame.empty or not self._columns else frame[list(self._columns)]
        self.setRowCount(len(shown))
        self.setColumnCount(len(shown.columns))
        for row, name in enumerate(shown.index):
            self.setVerticalHeaderItem(row, self._header(str(name)))
        for column, name in enumerate(shown.columns):
            self.setHorizontalHeaderItem(column, self._header(str(name)))
        for row in range(len(shown)):
            whole = _in_words(frame.iloc[row]) if self._columns else ""
            for column in range(len(shown.columns)):
                item = QTableWidgetItem(written(shown.iat[row, column]))
                side = _LEFT if isinstance(shown.iat[row, column], str) else _RIGHT
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(whole)
                self.setItem(row, column, item)
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

    def _header(self, name: str) -> QTableWidgetItem:
        item = QTableWidgetItem(_in_lines(self._short.get(name, name)))
        item.setToolTip(name.strip())
        return item

    def _height(self) -> int:
        """Of header, rows, the scroll bar that a wide table has, and the frame."""
        bar = self.horizontalScrollBar()
        below = bar.sizeHint().height() if bar.isVisible() else 0
        return self.horizontalHeader().height() + self.verticalHeader().length() + below + 2 * self.frameWidth()


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
    return title.replace(" - ", "\n- ").replace(", ", ",\n")
