import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot

from mri_noise.plugin.docks.compare_dock import CompareDock
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.widgets.sections import unbroken
from mri_noise.readings import comparison_of
from mri_noise.session.agreement import verdict
from mri_noise.session.layer_data import DATA_UNITS
from mri_noise.variance.sampling.sketch import Sketch
from tests.plugin.users import PATIENCE, QUICK, open_dock, open_sample, run


@pytest.fixture
def docks(qtbot: QtBot, viewer: Viewer) -> tuple[NoiseDock, CompareDock]:
    noise, compare = open_dock(viewer, "MRI noise"), open_dock(viewer, "Compare with Monte Carlo")
    open_sample(viewer, noise)
    return noise, compare


def wait(qtbot: QtBot, compare: CompareDock) -> None:
    qtbot.waitUntil(lambda: not compare.busy, timeout=PATIENCE)


def test_it_says_what_is_missing(docks: tuple[NoiseDock, CompareDock]) -> None:
    docks[1].compare()
    assert "No map" in docks[1].status.text.text()


@pytest.mark.shown
def test_replicas_stand_beside_the_map(qtbot: QtBot, viewer: Viewer, docks: tuple[NoiseDock, CompareDock]) -> None:
    noise, compare = docks
    run(qtbot, noise, QUICK.model_copy(update={"variance": Sketch(n_probes=100)}))
    compare.n_replicas.setValue(40)
    compare.compare()
    wait(qtbot, compare)
    session = noise.shared.session
    assert session.shown is not None
    reference = session.replicas_of(session.shown)
    assert reference is not None
    assert reference.job.number == 2
    comparison = comparison_of(session.shown.result, reference.result)
    found = compare.agreement.frame["found"]
    assert found["NRMSE [%]"] == pytest.approx(100 * comparison.nrmse)
    assert found["slope"] == pytest.approx(comparison.slope)
    assert list(compare.costs.frame.columns) == ["run 1", "run 2"]
    assert list(compare.costs.frame.loc["evaluations"]) == [100 + 12, 40]
    assert compare.status.text.text() == unbroken(verdict(session.shown, reference))
    run_map, other, difference = (layer for layer in viewer.layers if layer.visible)
    assert viewer.canvas.grid.enabled
    assert np.allclose(difference.data, run_map.data - other.data, atol=1e-6)
    assert difference.contrast_limits[0] == -difference.contrast_limits[1]
    run_map.contrast_limits = (0, 0.01)
    assert other.contrast_limits == [0, 0.01]
    for plot in (compare.plots.curves, compare.plots.scatter, compare.plots.bland_altman):
        compare.plots.setCurrentWidget(plot)
        qtbot.waitUntil(lambda plot=plot: bool(plot.figure.axes), timeout=PATIENCE)
    curves = compare.plots.curves.figure.axes[0].lines
    assert list(curves[1].get_xdata()) == list(range(4, 41, 2))
    assert curves[0].get_xdata()[-1] == 100 + 12
    assert compare.plots.bland_altman.figure.axes[0].get_xlabel() == f"mean of the two [{DATA_UNITS}]"
    before = len(viewer.layers)
    compare.leave_grid()
    assert not viewer.canvas.grid.enabled
    assert len(viewer.layers) == before - 3
    assert noise.shared.shelf["std"].visible


def test_cancelled_replicas_leave_the_run_as_it_was(qtbot: QtBot, docks: tuple[NoiseDock, CompareDock]) -> None:
    noise, compare = docks
    run(qtbot, noise)
    compare.n_replicas.setValue(100_000)
    compare.compare()
    qtbot.waitUntil(lambda: compare.shared.grid.on, timeout=PATIENCE)
    compare.leave_grid()
    seen = compare._reference
    qtbot.waitUntil(lambda: compare._reference is not seen, timeout=PATIENCE)
    assert not noise.shared.grid.on
    compare.cancel()
    wait(qtbot, compare)
    assert "were cancelled" in compare.status.text.text()
    kept = noise.shared.session.runs[-1].result
    assert kept.complete
    assert kept.experiment.variance.n_replicas == kept.estimate.n_samples < 100_000
    assert noise.shared.session.status.kind == "done"


@pytest.mark.shown
def test_plots_follow_the_theme(qtbot: QtBot, viewer: Viewer, docks: tuple[NoiseDock, CompareDock]) -> None:
    noise, compare = docks
    run(qtbot, noise)
    compare.n_replicas.setValue(4)
    compare.compare()
    wait(qtbot, compare)
    colours = []
    for theme in ("dark", "light"):
        viewer.theme = theme
        colours.append(compare.plots.curves.figure.get_facecolor())
    assert sum(colours[0][:3]) < 1.5 < sum(colours[1][:3])
