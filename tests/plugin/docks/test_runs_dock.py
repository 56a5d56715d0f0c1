from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.docks.roi_dock import RoiDock
from mri_noise.plugin.docks.runs_dock import RunsDock
from mri_noise.plugin.widgets.table_file import TITLE
from mri_noise.readings import comparison_of, estimate_of
from mri_noise.recon.linear import ZeroFilled
from mri_noise.roi import Rectangle
from mri_noise.session.layer_data import DATA_UNITS
from tests.plugin.users import PATIENCE, QUICK, button_of, open_dock, open_sample, run

BOX = np.array([[0, 50, 40], [0, 50, 60], [0, 70, 60], [0, 70, 40]], dtype=float)


@pytest.fixture
def docks(qtbot: QtBot, viewer: Viewer) -> tuple[NoiseDock, RunsDock]:
    noise, runs = open_dock(viewer, "MRI noise"), open_dock(viewer, "Runs")
    open_sample(viewer, noise)
    noise.scan._slice.setValue(0)
    return noise, runs


def choose(runs: RunsDock, *rows: int) -> None:
    runs.runs.clearSelection()
    for row in rows:
        for column in range(runs.runs.columnCount()):
            runs.runs.item(row, column).setSelected(True)


def sweep(qtbot: QtBot, runs: RunsDock, parameter: str, values: str) -> None:
    runs.sweep.parameter.setCurrentText(parameter)
    runs.sweep.values.setText(values)
    runs.sweep.start()
    qtbot.waitUntil(lambda: not runs.sweep.busy, timeout=PATIENCE)


@pytest.mark.shown
def test_finished_runs_are_listed_shown_again_and_compared(
    qtbot: QtBot, viewer: Viewer, docks: tuple[NoiseDock, RunsDock]
) -> None:
    noise, runs = docks
    assert "No finished run" in runs.status.text.text()
    run(qtbot, noise)
    run(qtbot, noise, QUICK.model_copy(update={"reconstruction": ZeroFilled()}))
    assert list(runs.runs.frame["changed"]) == ["", "reconstruction zero-filled"]
    runs.compare_selected()
    assert "Select two runs" in runs.status.text.text()
    choose(runs, 0)
    runs.show_selected()
    first, second = noise.shared.session.runs
    assert noise.shared.session.shown is first
    assert np.allclose(noise.shared.shelf["std"].data[0], estimate_of(first.result).variance_magnitude.sqrt())
    choose(runs, 0, 1)
    viewer.scene.camera.zoom *= 1.5
    zoom = viewer.scene.camera.zoom
    runs.compare_selected()
    assert viewer.canvas.grid.enabled
    left, right, difference = (layer for layer in viewer.layers if layer.visible)
    assert left.name.startswith("run 2: std, sketch [")
    assert right.name.startswith("run 1: std, sketch")
    assert np.allclose(difference.data, left.data - right.data, atol=1e-6)
    nrmse = comparison_of(second.result, first.result).nrmse
    assert runs.agreement.frame["found"]["NRMSE [%]"] == pytest.approx(100 * nrmse)
    assert "The maps differ" in runs.status.text.text()
    viewer.canvas.grid.enabled = False  # as by napari's own button
    assert not noise.shared.grid.on
    assert noise.shared.shelf["std"].visible
    assert viewer.scene.camera.zoom == pytest.approx(zoom)


@pytest.mark.shown
def test_a_sweep_makes_a_stack_and_a_curve_of_the_region_that_is_saved(
    qtbot: QtBot,
    viewer: Viewer,
    docks: tuple[NoiseDock, RunsDock],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise, runs = docks
    roi: RoiDock = open_dock(viewer, "ROI noise")
    noise.form.value = QUICK
    noise._take_over()
    sweep(qtbot, runs, "noise level", "1, 2, 4")
    assert runs.sweep.status.text.text() == "Sweep of noise level 1, 2, 4: done, 3 runs."
    swept = noise.shared.session.runs
    assert [each.result.experiment.noise_scale for each in swept] == [1, 2, 4]
    (stack,) = (layer for layer in viewer.layers if layer.visible and layer.ndim == 4)
    assert stack.data.shape == (3, 1, 128, 128)
    assert viewer.dims.axis_labels[0] == "noise level"
    viewer.dims.set_current_step(0, 1)
    assert runs.sweep.stack.position == 1
    assert "noise x 2" in viewer.canvas.overlays.text.text
    roi.draw("select")
    roi.regions.shapes.add(BOX, shape_type="rectangle")
    region = Rectangle(corners=((50, 40), (70, 60)))((128, 128))
    expected = [float(estimate_of(each.result).variance_magnitude[region].sqrt().mean()) for each in swept]

    def drawn() -> list[float]:
        axes = runs.sweep.plot.figure.axes
        named = [box for each in axes for box in each.containers if box.get_label() == "ROI 1"]
        return list(named[0].lines[0].get_ydata()) if named else []

    qtbot.waitUntil(lambda: drawn() == pytest.approx(expected), timeout=PATIENCE)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "sweep.csv"), ""))
    button_of(runs.sweep, TITLE).click()
    saved = pd.read_csv(tmp_path / "sweep.csv", index_col="noise level [measured level]")
    assert list(saved.index) == [1, 2, 4]
    assert list(saved[f"ROI 1: mean noise std [{DATA_UNITS}]"]) == pytest.approx(expected)
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.csv"]
    runs.sweep.leave()
    assert not runs.sweep.stack.on


def test_models_are_swept_and_a_value_that_does_not_fit_is_said(
    qtbot: QtBot, docks: tuple[NoiseDock, RunsDock], tmp_path: Path
) -> None:
    noise, runs = docks
    with pytest.raises(ValueError, match="no curve to save"):
        runs.sweep.save(tmp_path / "sweep.csv")
    noise.form.value = QUICK
    noise._take_over()
    sweep(qtbot, runs, "model", "zero-filled, cg-sense")
    assert [each.result.experiment.reconstruction.kind for each in noise.shared.session.runs] == [
        "zero-filled",
        "cg-sense",
    ]
    sweep(qtbot, runs, "acceleration", "2, many")
    assert "acceleration" in runs.sweep.status.text.text()
    sweep(qtbot, runs, "acceleration", "")
    assert "no value to sweep" in runs.sweep.status.text.text()
    assert len(noise.shared.session.runs) == 2


def test_a_cancelled_sweep_keeps_its_finished_runs(qtbot: QtBot, docks: tuple[NoiseDock, RunsDock]) -> None:
    noise, runs = docks
    noise.form.value = QUICK.model_copy(update={"variance": QUICK.variance.model_copy(update={"n_probes": 300})})
    noise._take_over()
    runs.sweep.values.setText("2, 4, 8")
    runs.sweep.start()
    qtbot.waitUntil(lambda: len(noise.shared.session.runs) == 1, timeout=PATIENCE)
    runs.sweep.cancel()
    qtbot.waitUntil(lambda: not runs.sweep.busy, timeout=PATIENCE)
    assert "was cancelled; 1 of its runs are kept" in runs.sweep.status.text.text()
    assert len(noise.shared.session.runs) == 1
