"""Draw the pictures of the plugin: napari's windows as their user sees them, with the sample scan."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

os.environ["NAPARI_CONFIG"] = ""  # the preferences of whoever draws stay as they are

from napari import Viewer
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDialog, QListWidget, QMainWindow

from mri_noise.variance.lattice.magnitude import LatticeProbing

if TYPE_CHECKING:
    from mri_noise.plugin.docks.noise_dock import NoiseDock

PLUGIN = "napari-mri-noise"
IMAGES = Path(__file__).parent / "images"
WIDE = (1400, 900)
LOW = (1000, 700)
NARROW = 300
LONGEST = 300  # [s]

Theme = Literal["dark", "light"]


def main() -> None:
    """Write docs/images/plugin_*.png."""
    IMAGES.mkdir(exist_ok=True)
    for theme in ("dark", "light"):
        draw_noise(theme)
    draw_lattice()
    draw_narrow()
    draw_preferences()


def draw_noise(theme: Theme) -> None:
    """The main dock: a scan, a run that refines, its maps on top of and beside each other."""
    with window(theme, WIDE) as (viewer, dock):
        save(viewer, f"open_{theme}")
        dock.run()
        wait(lambda: "std" in dock.shared.shelf.present())
        save(viewer, f"running_{theme}")
        finish(dock)
        save(viewer, f"map_{theme}")
        dock.tiles.setChecked(True)
        save(viewer, f"maps_{theme}")


def draw_lattice() -> None:
    """Lattice probing: half of the object in final voxels, the rest still from the smooth first look."""
    with window("dark", WIDE) as (viewer, dock):
        dock.form.editors["variance"].value = LatticeProbing()
        dock.run()
        wait(lambda: (dock.shared.session.status.progress or 0) >= 0.5)
        save(viewer, "lattice")
        finish(dock)


def draw_narrow() -> None:
    """The dock in a small window, 300 pixels wide."""
    with window("dark", LOW) as (viewer, dock):
        dock.setFixedWidth(NARROW)
        for section in dock.form.sections.values():
            section.unfold()
        dock.run()
        finish(dock)
        save(viewer, "narrow")


def draw_preferences() -> None:
    """The page of the plugin in napari's preferences."""
    with window("dark", LOW):
        file_menu = main_window().menuBar().actions()[0].menu()
        next(action for action in file_menu.actions() if action.text() == "Preferences").trigger()
        settle()
        (dialog,) = [each for each in QApplication.topLevelWidgets() if isinstance(each, QDialog) and each.isVisible()]
        pages = dialog.findChild(QListWidget)
        pages.setCurrentItem(pages.findItems("MRI noise", Qt.MatchFlag.MatchContains)[0])
        settle()
        dialog.grab().save(str(IMAGES / "plugin_preferences.png"))
        dialog.close()


def main_window() -> QMainWindow:
    """The window of the viewer."""
    (found,) = [each for each in QApplication.topLevelWidgets() if isinstance(each, QMainWindow) and each.isVisible()]
    return found


@contextmanager
def window(theme: Theme, size: tuple[int, int]) -> "Iterator[tuple[Viewer, NoiseDock]]":
    """A window with the sample scan and the main dock."""
    get_settings().appearance.theme = theme
    viewer = Viewer()
    viewer.window.resize(*size)
    viewer.open_sample(PLUGIN, "brain")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "MRI noise")
    settle()
    yield viewer, dock
    viewer.close()
    settle()


def save(viewer: Viewer, name: str) -> None:
    """Write what a window shows."""
    settle()
    viewer.window.screenshot(str(IMAGES / f"plugin_{name}.png"), canvas_only=False, flash=False)


def finish(dock: "NoiseDock") -> None:
    """Wait for the end of a run."""
    wait(lambda: dock.shared.session.job is None and not dock.shared.busy)


def wait(happened: Callable[[], bool]) -> None:
    """Let the window live until something happened."""
    end = time.monotonic() + LONGEST
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError("nothing happened")
        settle(0.05)


def settle(seconds: float = 0.5) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    main()
