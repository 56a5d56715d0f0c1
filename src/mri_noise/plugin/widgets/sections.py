"""The building blocks of docks: sections that fold, a status line, rows of small buttons."""

import re
from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mri_noise.session.state import Status, StatusKind

AMBER = "#e0a030"
"""The colour of what is not to be taken at its word."""

_MARKS: dict[StatusKind, tuple[str, str]] = {
    "missing": ("○", "#d08770"),
    "ready": ("●", "#5b9bd5"),
    "running": ("●", "#b48ead"),
    "stale": ("●", AMBER),
    "done": ("●", "#5aa469"),
    "doubtful": ("▲", AMBER),
    "failed": ("●", "#d9534f"),
}


PRIMARY = """
QPushButton {font-weight: bold; color: white; background-color: #2f6fb5;}
QPushButton:hover {background-color: #3b82cf;}
QPushButton:disabled {color: #8a8f98; background-color: rgba(128, 128, 128, 60);}
"""
"""The style of the one button that a dock is there for."""


MUTED = "color: #7b808a;"
"""The style of what is good to know, and does not change."""

_TWO_LINES = 52  # [pixel]
_ACCENT = QColor("#2f6fb5")
_GROOVE = QColor(128, 128, 128, 60)


class Section(QWidget):
    """A title that folds and unfolds what is below it."""

    def __init__(self, title: str, *, folded: bool = False) -> None:
        super().__init__()
        self._title = QToolButton()
        self._title.setText(title)
        self._title.setCheckable(True)
        self._title.setChecked(not folded)
        self._title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._title.setStyleSheet("QToolButton {border: none; background: transparent; font-weight: bold;}")
        self._title.toggled.connect(self._fold)
        self._content = QWidget()
        self.rows = QVBoxLayout(self._content)
        self.rows.setContentsMargins(4, 0, 0, 2)
        self.rows.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self._title)
        layout.addWidget(self._content)
        self._fold(not folded)

    def unfold(self) -> None:
        """Show what is below the title."""
        self._title.setChecked(True)

    def _fold(self, opened: bool) -> None:
        self._title.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self._content.setVisible(opened)


class StatusLine(QWidget):
    """One sentence with a shaped mark, which stays until it is no longer true."""

    def __init__(self) -> None:
        super().__init__()
        self._mark, self.text = QLabel(), QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setMinimumHeight(_TWO_LINES)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._mark.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._mark)
        layout.addWidget(self.text, 1)

    def show_status(self, status: Status) -> None:
        """Say a status."""
        mark, colour = _MARKS[status.kind]
        self._mark.setText(f'<span style="color: {colour}; font-size: 14px;">{mark}</span>')
        self.text.setText(unbroken(status.sentence))
        self._keep_whole()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the sentence whole at another width."""
        super().resizeEvent(event)
        self._keep_whole()

    def _keep_whole(self) -> None:
        """Take the height of all lines; a low window would else cut the last one."""
        self.text.setMinimumHeight(_TWO_LINES)  # which the height below is no less than
        self.text.setMinimumHeight(self.text.heightForWidth(self.text.width()))


def unbroken(sentence: str) -> str:
    """With a space that no line breaks at between a number and its unit."""
    return re.sub(r"(?<=\d) (?=%|s\b)", "\N{NO-BREAK SPACE}", sentence)


class ThinBar(QWidget):
    """How far a run is.

    It only asks to be painted; a QProgressBar paints at once, and with it the whole window and its image.
    """

    def __init__(self) -> None:
        super().__init__()
        self._share = 0.0
        self.setFixedHeight(4)

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self._share

    @share.setter
    def share(self, share: float) -> None:
        if share != self._share:
            self._share = share
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the groove, and what is done of it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), _GROOVE)
        painter.fillRect(0, 0, round(self._share * self.width()), self.height(), _ACCENT)
        painter.end()


def scrolling(content: QWidget) -> QScrollArea:
    """A column that scrolls where the window is low, and never sideways."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def buttons(*named: tuple[str, str, Callable[[], object]]) -> QWidget:
    """A row of buttons, each with its text, its tooltip and what it does."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(3)
    for text, tooltip, action in named:
        layout.addWidget(button(text, tooltip, action))
    return row


def button(text: str, tooltip: str, action: Callable[[], object]) -> QPushButton:
    """A button that is no wider than it must be."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.setMinimumWidth(24)
    made.clicked.connect(lambda _checked: action())
    return made


def stacked(widgets: Sequence[QWidget], *, margin: int = 6) -> QWidget:
    """Widgets below each other, at the top."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(6)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch()
    return column
