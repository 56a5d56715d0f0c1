"""Draw the docks of the plugin as a user sees them: regions, comparison, correlation, runs, film; the sample scan."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # the preferences of whoever draws stay as they are

import napari
import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QPainter, QPixmap
from qtpy.QtWidgets import QApplication, QWidget

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.masks import Equispaced
from mri_noise.acquisition.noise_sources import NoiseFromPrescan
from mri_noise.experiment import Experiment
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.variance.sampling.sketch import Sketch

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE, NARROW = (1400, 900), 300  # [pixels]
DOCK_WIDTH = 440  # [pixels]
PATIENCE = 300.0  # [s]
SLICE = 2
N_REPLICAS = 100
EXPERIMENT = Experiment(
    undersampling=Equispaced(acceleration=4),
    coils=MapsFromFile(),
    noise=NoiseFromPrescan(),
    reconstruction=Shipped(name="modl"),
    variance=Sketch(n_probes=100),
)
FRONTAL = np.array([[SLICE, 28, 52], [SLICE, 28, 76], [SLICE, 44, 76], [SLICE, 44, 52]], dtype=float)
CENTRAL = np.array([[SLICE, 56, 54], [SLICE, 56, 74], [SLICE, 72, 74], [SLICE, 72, 54]], dtype=float)
LATERAL = np.array([[SLICE, 70, 88], [SLICE, 60, 96], [SLICE, 82, 100], [SLICE, 88, 90]], dtype=float)


def wait(done: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Let the window live until something is done."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing was done within {seconds:.0f} s")
        QApplication.processEvents()
        time.sleep(0.01)


def rest(seconds: float = 0.7) -> None:
    """Let the window settle."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


class Stage:
    """A window with the sample scan, a finished run, and one dock in front."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*SIZE)
        self.viewer.open_sample("napari-mri-noise", "brain")
        self.frames: dict[str, Any] = {}
        self.noise = self.dock("MRI noise")
        self.viewer.dims.set_current_step(0, SLICE)
        self.noise.scan._slice.setValue(SLICE)
        self.run(EXPERIMENT)

    def dock(self, name: str) -> Any:
        """Open a dock behind the others, in front of them."""
        frame, widget = self.viewer.window.add_plugin_dock_widget("napari-mri-noise", name, tabify=bool(self.frames))
        self.frames[name] = frame
        rest()
        return widget

    def run(self, experiment: Experiment) -> None:
        """Run, and wait."""
        self.noise.form.value = experiment
        self.noise.run()
        wait(lambda: self.noise.shared.session.job is None)

    def take(self, name: str, picture: str, part: QWidget | None = None) -> None:
        """Draw the window with a dock in front, in both themes, and the dock alone when it is narrow.

        The dock is scrolled to a part of it, if one is named.
        """
        frame = self.frames[name]
        narrow = []
        for theme, suffix in (("light", "_light"), ("dark", "")):
            self.viewer.theme = theme
            frame.raise_()
            self._widen(frame, DOCK_WIDTH, part)
            self.viewer.reset_view()
            rest()
            path = IMAGES / f"plugin_{picture}{suffix}.png"
            self.viewer.window.screenshot(path=str(path), flash=False)
            self._widen(frame, NARROW, part)
            narrow.append(frame.widget().grab())
        beside(narrow[::-1]).save(str(IMAGES / f"plugin_{picture}_narrow.png"))

    def _widen(self, frame: Any, width: int, part: QWidget | None) -> None:
        frame.window().resizeDocks([frame], [width], Qt.Orientation.Horizontal)
        rest()
        if part is not None:
            scroll_to(part)
            rest()


def beside(pictures: list[QPixmap]) -> QPixmap:
    """Pictures side by side."""
    ratio = pictures[0].devicePixelRatio()
    joined = QPixmap(sum(each.width() for each in pictures), max(each.height() for each in pictures))
    joined.fill(Qt.GlobalColor.transparent)
    painter, left = QPainter(joined), 0
    for each in pictures:
        painter.drawPixmap(left, 0, each)
        left += int(each.width() / ratio)
    painter.end()
    return joined


def picture_of_the_comparison(stage: Stage) -> None:
    """The sketch beside Monte Carlo."""
    dock = stage.dock("Compare with Monte Carlo")
    dock.n_replicas.setValue(N_REPLICAS)
    dock.compare()
    wait(lambda: not dock.busy)
    stage.take("Compare with Monte Carlo", "comparison")
    dock.leave_grid()


def picture_of_regions(stage: Stage) -> None:
    """Three regions with their exact error bars, two of them contrasted."""
    dock = stage.dock("ROI noise")
    dock.draw("select")
    shapes = dock.regions.shapes
    shapes.add(FRONTAL, shape_type="ellipse")
    shapes.add(CENTRAL, shape_type="rectangle")
    shapes.add(LATERAL, shape_type="polygon")
    shapes.selected_data = {0, 1}
    wait(lambda: dock.table.frame.shape[1] == 4 and bool(dock.table.frame.loc["std of mean"].notna().all()))
    stage.take("ROI noise", "regions")


def picture_of_the_correlation(stage: Stage) -> None:
    """A voxel and what its noise goes with."""
    stage.noise.show_panel.correlation.setChecked(True)
    stage.noise.show_panel.correlation.ask((64, 64))
    wait(lambda: any("correlation" in layer.name for layer in stage.viewer.layers))
    stage.take("MRI noise", "correlation", stage.noise.show_panel.correlation)
    stage.noise.show_panel.correlation.setChecked(False)
    (layer,) = (layer for layer in stage.viewer.layers if "correlation" in layer.name)
    stage.viewer.layers.remove(layer)


def picture_of_the_film(stage: Stage) -> None:
    """Noise that can be seen."""
    film = stage.noise.show_panel.film
    film.n_frames.setValue(8)
    film.amplification.setValue(4)
    film.draw()
    wait(film.play.isChecked)
    film.play.setChecked(False)
    stage.take("MRI noise", "film", film)
    (layer,) = (layer for layer in stage.viewer.layers if layer.ndim == 4)
    stage.viewer.layers.remove(layer)


def picture_of_runs(stage: Stage) -> None:
    """Finished runs, and a sweep of the acceleration."""
    dock = stage.dock("Runs")
    dock.sweep.values.setText("2, 3, 4, 6")
    dock.sweep.start()
    wait(lambda: not dock.sweep.busy)
    rest()
    stage.take("Runs", "runs")
    dock.leave()


def scroll_to(widget: QWidget) -> None:
    """Scroll a dock down to a part of it."""
    parent = widget.parentWidget()
    while parent is not None and not hasattr(parent, "ensureWidgetVisible"):
        parent = parent.parentWidget()
    if parent is not None:
        parent.ensureWidgetVisible(widget)


def main() -> None:
    """Write docs/images/plugin_*.png."""
    IMAGES.mkdir(exist_ok=True)
    stage = Stage()
    for draw in (
        picture_of_the_comparison,
        picture_of_regions,
        picture_of_the_correlation,
        picture_of_the_film,
        picture_of_runs,
    ):
        draw(stage)
    stage.viewer.close()


if __name__ == "__main__":
    main()
