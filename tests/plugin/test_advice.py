"""A run whose linearisation does not hold, in a window."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QColor

from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.widgets.sections import AMBER
from mri_noise.readings import total_error
from mri_noise.variance.check import whole
from mri_noise.variance.check.linearity import assess
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from tests.plugin.test_two_scans import CHEAP, open_files, scan_file
from tests.plugin.users import PATIENCE, finish, open_dock, run

pytestmark = pytest.mark.shown

BOX = np.array([[0, 7.5, 7.5], [0, 7.5, 13.5], [0, 15.5, 13.5], [0, 15.5, 7.5]])


@pytest.fixture
def dock(qtbot: QtBot, viewer: Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NoiseDock:
    """A window with a map whose linearisation is off by 20 %."""

    def off(*arguments: Any, **options: Any) -> Any:
        return replace(assess(*arguments, **options), bias=0.2, remaining_bias=0.2, corrected=False)

    monkeypatch.setattr(whole, "assess", off)
    made: NoiseDock = open_dock(viewer, "MRI noise")
    open_files(viewer, scan_file(tmp_path / "a.h5", 1, (5.0, 1.0, 1.0)))
    run(qtbot, made, CHEAP)
    return made


def test_the_verdict_comes_first_and_one_button_does_what_is_advised(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock
) -> None:
    total = 100 * total_error(dock.shared.session.shown.result)
    said = f"Not linear at this noise: std known to {total:.1f}"
    assert dock.status.text.text().replace("\N{NO-BREAK SPACE}", " ").startswith(said)
    assert "Monte Carlo with 400 replicas would take about" in dock.status.text.text()
    assert AMBER in dock.status._mark.text()
    assert viewer.canvas.overlays.text.text.startswith(said)
    assert dock.advised.isVisible()
    assert "about" in dock.advised.text()
    dock.advised.click()
    assert dock.shared.session.job is not None
    assert not dock.advised.isVisible()
    finish(qtbot, dock)
    shown = dock.shared.session.shown
    assert shown is not None
    assert shown.result.experiment.variance == MonteCarlo(n_replicas=400)
    assert dock.shared.session.status.kind == "done"
    assert not dock.advised.isVisible()
    assert dock.form.value.variance == MonteCarlo(n_replicas=400)


def test_a_change_of_the_form_takes_the_advice_away(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    dock.form.editors["seed"].value = 3
    qtbot.waitUntil(lambda: not dock.advised.isVisible(), timeout=PATIENCE)
    dock.form.value = CHEAP
    qtbot.waitUntil(dock.advised.isVisible, timeout=PATIENCE)


def test_rows_of_regions_and_runs_are_marked_and_so_is_the_file(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    roi, runs = open_dock(viewer, "ROI noise"), open_dock(viewer, "Runs")
    roi.draw("select")
    roi.regions.shapes.add(BOX, shape_type="rectangle")
    qtbot.waitUntil(lambda: roi.status.text.text().startswith("Not linear"), timeout=PATIENCE)
    assert AMBER in roi.status._mark.text()
    row = list(roi.table.frame.index).index("linear")
    cell = roi.table.item(row, 0)
    assert (cell.text(), cell.foreground().color()) == ("▲ no", QColor(AMBER))
    roi.save(tmp_path / "regions.csv")
    saved = pd.read_csv(tmp_path / "regions.csv", index_col="region")
    assert saved["linear"]["ROI 1"] == "no"
    assert saved["std known to [%]"]["ROI 1"] == pytest.approx(100 * total_error(dock.shared.session.shown.result))
    assert runs.runs.item(0, 3).text() == "▲ no"
    assert runs.runs.frame["total error [%]"].iloc[0] > 20
