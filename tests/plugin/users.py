"""What a user does in a window, and waits for."""

from typing import Any

from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication, QMainWindow, QPushButton, QWidget

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.masks import Equispaced
from mri_noise.acquisition.noise_sources import NoiseFromPrescan
from mri_noise.experiment import Experiment
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.sampling.sketch import Sketch

QUICK = Experiment(
    undersampling=Equispaced(acceleration=4),
    coils=MapsFromFile(),
    noise=NoiseFromPrescan(),
    variance=Sketch(n_probes=8),
    linearity=LinearityCheck(n_pairs=4),
)
LONG = QUICK.model_copy(update={"variance": Sketch(n_probes=100_000)})
PATIENCE = 300_000
"""[ms] for what happens soon, on a machine however slow or busy: who waits so long waits for ever."""


def open_dock(viewer: Viewer, name: str) -> Any:
    """Open a dock from the plugins menu."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-mri-noise", name)
    return widget


def open_sample(viewer: Viewer, dock: NoiseDock | None = None) -> None:
    """File > Open Sample; what the dock, if given, then computes ahead is what the quick run will need."""
    if dock is not None:
        dock.form.value = QUICK
    viewer.open_sample("napari-mri-noise", "brain")


def finish(qtbot: QtBot, dock: NoiseDock) -> None:
    """Wait for the end of a run."""
    qtbot.waitUntil(lambda: dock.shared.session.job is None and not dock.shared.busy, timeout=PATIENCE)


def run(qtbot: QtBot, dock: NoiseDock, experiment: Experiment = QUICK) -> None:
    """Fill the form, press Run, and wait."""
    dock.form.value = experiment
    dock.run()
    finish(qtbot, dock)


def choose_from_menu(*path: str) -> None:
    """Open a menu of the window, its submenus, and choose an entry, all by the beginnings of their names."""
    (window,) = [each for each in QApplication.topLevelWidgets() if isinstance(each, QMainWindow) and each.isVisible()]
    actions = window.menuBar().actions()
    for name in path:
        (chosen,) = [action for action in actions if action.text().replace("&", "").startswith(name)]
        menu = chosen.menu()
        if menu is None:
            chosen.trigger()
            return
        menu.aboutToShow.emit()
        actions = menu.actions()


def dock_of(viewer: Viewer, name: str) -> Any:
    """The dock that was opened from the menu."""
    (widget,) = [dock for title, dock in viewer.window.dock_widgets.items() if title.startswith(name)]
    return widget


def button_of(dock: QWidget, text: str) -> QPushButton:
    """The button of a dock with a text on it."""
    (found,) = [button for button in dock.findChildren(QPushButton) if button.text() == text]
    return found
