"""A table of numbers that reads well in a narrow dock."""

import math

import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_SMALL, _LARGE = 1e-4, 1e7  # what is written without an exponent


class Table(QTableWidget):
    """Shows a data frame: its index at the left, numbers at the right, three significant digits, nothing for NaN.

    Parameters
    ----------
    fits
        Whether it is as high as its rows, for a column that scrolls as a whole.
    """

    def __init__(self, *, fits: bool = False) -> None:
        super().__init__()
        self._fits = fits
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.frame = pd.DataFrame()

    def show_frame(self, frame: pd.DataFrame) -> None:
        """Show a data frame."""
        self.frame = frame
        self.setRowCount(len(frame))
        self.setColumnCount(len(frame.columns))
        self.setVerticalHeaderLabels([str(name) for name in frame.index])
        self.setHorizontalHeaderLabels(
            [str(name).replace(" - ", "\n- ").replace(", ", ",\n") for name in frame.columns]
        )
        for row in range(len(frame)):
            for column in range(len(frame.columns)):
                item = QTableWidgetItem(written(frame.iat[row, column]))
                side = _LEFT if isinstance(frame.iat[row, column], str) else _RIGHT
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(row, column, item)
        if self._fits:
            self.setFixedHeight(self._height())

    def choose_rows(self) -> None:
        """Let whole rows be selected, several with Ctrl or Shift."""
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)

    def chosen_rows(self) -> list[int]:
        """The rows that are selected, from above."""
        return sorted({index.row() for index in self.selectionModel().selectedRows()})

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


def _in_lines(title: str) -> str:
    """The title of a column, broken where it is a difference or names a slice."""
    return title.replace(" - ", "\n- ").replace(", ", ",\n")
