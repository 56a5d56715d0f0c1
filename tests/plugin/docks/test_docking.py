import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

from tests.plugin.users import PATIENCE, open_dock

pytestmark = pytest.mark.shown


def dock_around(content: QWidget) -> QDockWidget:
    (found,) = [dock for dock in content.window().findChildren(QDockWidget) if dock.isAncestorOf(content)]
    return found


def test_docks_beside_the_main_one_share_its_place_as_tabs(qtbot: QtBot, viewer: Viewer) -> None:
    main = open_dock(viewer, "MRI noise")
    first, second = open_dock(viewer, "ROI noise"), open_dock(viewer, "Runs")
    window = main.window()
    assert isinstance(window, QMainWindow)
    qtbot.waitUntil(lambda: window.tabifiedDockWidgets(dock_around(first)) == [dock_around(second)], timeout=PATIENCE)
    assert window.tabifiedDockWidgets(dock_around(main)) == []
    (titles,) = [[bar.tabText(n) for n in range(bar.count())] for bar in window.findChildren(QTabBar) if bar.count()]
    assert titles == ["ROI noise", "Runs"]
    heights = [dock_around(dock).height() for dock in (main, second)]
    assert min(heights) > 0.8 * max(heights)
