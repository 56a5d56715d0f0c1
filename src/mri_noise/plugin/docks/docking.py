"""Where the docks of the plugin go in a window."""

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

_SHARING = "mri_noise_sharing"


class _Placer(QObject):
    """Puts a dock on another one, as a tab, when it is first shown; or gives it half of the place."""

    def __init__(self, content: QWidget, title: str) -> None:
        super().__init__(content)
        self._content, self._title = content, title
        content.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait for the first time that the content is shown; napari has placed its dock by then."""
        if event.type() == QEvent.Type.Show:
            self._content.removeEventFilter(self)
            QTimer.singleShot(0, self._place)
        return False

    def _place(self) -> None:
        window, dock = self._content.window(), _dock_around(self._content)
        if not isinstance(window, QMainWindow) or dock is None:
            return
        dock.setWindowTitle(self._title)
        others = [other for other in window.findChildren(QDockWidget) if _is_beside(other, dock, window)]
        for other in others:
            if other.findChild(QWidget, _SHARING) is not None:
                window.tabifyDockWidget(other, dock)
                dock.raise_()
                return
        docks = [*others, dock]
        window.resizeDocks(docks, [window.height() // len(docks)] * len(docks), Qt.Orientation.Vertical)


def _is_beside(other: QDockWidget, dock: QDockWidget, window: QMainWindow) -> bool:
    """Whether another dock is seen in the same area of the window."""
    same_area = window.dockWidgetArea(other) == window.dockWidgetArea(dock)
    return other is not dock and same_area and other.isVisible() and not other.isFloating()


def share_place(content: QWidget, title: str) -> None:
    """Let the docks of which this is called lie on each other as tabs, so that each has the height of all.

    Their titles on the tabs are short: napari's, with the name of the plugin, are cut in a narrow column.
    """
    content.setObjectName(_SHARING)
    _Placer(content, title)


def _dock_around(widget: QWidget) -> QDockWidget | None:
    around: QWidget | None = widget
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    return around
