"""The mouse on napari's canvas, in the coordinates of the world."""

from napari import Viewer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

Place = tuple[float, float]
LEFT = Qt.MouseButton.LeftButton
_STEPS = 8
_APART = 15  # [ms] between two moves: of those that follow each other faster, vispy leaves some out


def canvas(_viewer: Viewer) -> QWidget:
    """The widget that layers are drawn on."""
    found = [
        child
        for window in QApplication.topLevelWidgets()
        if window.isVisible()
        for child in window.findChildren(QWidget)
        if type(child).__name__.startswith("CanvasBackend")
    ]
    assert len(found) == 1
    return found[0]


def pixel(viewer: Viewer, place: Place) -> QPoint:
    """Where on the canvas a place (row, column) of the world is."""
    widget, camera = canvas(viewer), viewer.scene.camera
    row, column = ((x - centre) * camera.zoom for x, centre in zip(place, camera.center[-2:], strict=True))
    return QPoint(round(widget.width() / 2 + column), round(widget.height() / 2 + row))


def _send(viewer: Viewer, kind: QEvent.Type, place: Place, *, held: bool, shift: bool = False) -> None:
    """Send an event of the mouse; ``held`` tells whether the left button is down after it."""
    if kind == QEvent.Type.MouseMove:
        QTest.qWait(_APART)
    at, none = QPointF(pixel(viewer, place)), Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else LEFT
    keys = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    globally = QPointF(canvas(viewer).mapToGlobal(at.toPoint()))
    QApplication.sendEvent(canvas(viewer), QMouseEvent(kind, at, globally, button, LEFT if held else none, keys))
    QApplication.processEvents()


def hover(viewer: Viewer, place: Place) -> None:
    """Move the pointer, no button pressed."""
    _send(viewer, QEvent.Type.MouseMove, place, held=False)


def click(viewer: Viewer, place: Place, *, shift: bool = False) -> None:
    """Press and release."""
    hover(viewer, place)
    _send(viewer, QEvent.Type.MouseButtonPress, place, held=True, shift=shift)
    _send(viewer, QEvent.Type.MouseButtonRelease, place, held=False, shift=shift)


def press(viewer: Viewer, place: Place) -> None:
    """Press the left button."""
    hover(viewer, place)
    _send(viewer, QEvent.Type.MouseButtonPress, place, held=True)


def move(viewer: Viewer, start: Place, end: Place) -> None:
    """Move with the button that is pressed."""
    for step in range(1, _STEPS + 1):
        share = step / _STEPS
        place = (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
        _send(viewer, QEvent.Type.MouseMove, place, held=True)


def release(viewer: Viewer, place: Place) -> None:
    """Release the left button."""
    _send(viewer, QEvent.Type.MouseButtonRelease, place, held=False)


def drag(viewer: Viewer, start: Place, end: Place) -> None:
    """Press, move, release."""
    press(viewer, start)
    move(viewer, start, end)
    release(viewer, end)
