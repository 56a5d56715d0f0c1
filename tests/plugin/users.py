"""What a user does in a window, and waits for."""

from typing import Any

from napari import Viewer
from pytestqt.qtbot import QtBot

from mri_noise.coils import MapsFromFile
from mri_noise.experiment import Experiment
from mri_noise.masks import Equispaced
from mri_noise.noise import NoiseFromPrescan
from mri_noise.plugin.noise_dock import NoiseDock
from mri_noise.variance.sketch import Sketch

QUICK = Experiment(
    undersampling=Equispaced(acceleration=4),
    coils=MapsFromFile(),
    noise=NoiseFromPrescan(),
    variance=Sketch(n_probes=8),
)
LONG = QUICK.model_copy(update={"variance": Sketch(n_probes=100_000)})
PATIENCE = 60_000  # [ms]


def open_dock(viewer: Viewer, name: str) -> Any:
    """Open a dock from the plugins menu."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-mri-noise", name)
    return widget


def open_sample(viewer: Viewer) -> None:
    """File > Open Sample."""
    viewer.open_sample("napari-mri-noise", "brain")


def finish(qtbot: QtBot, dock: NoiseDock) -> None:
    """Wait for the end of a run."""
    qtbot.waitUntil(lambda: dock.shared.session.job is None, timeout=PATIENCE)


def run(qtbot: QtBot, dock: NoiseDock, experiment: Experiment = QUICK) -> None:
    """Fill the form, press Run, and wait."""
    dock.form.value = experiment
    dock.run()
    finish(qtbot, dock)
