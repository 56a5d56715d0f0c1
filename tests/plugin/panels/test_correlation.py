import numpy as np
import pytest
from napari import Viewer
from napari.layers import Image
from pytestqt.qtbot import QtBot

from mri_noise.pipeline import StageCache
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.session.regions.readouts import read_voxel
from mri_noise.session.regions.voxels import voxel_sentence
from mri_noise.session.state import Session
from tests.plugin import mouse
from tests.plugin.users import PATIENCE, open_dock, open_sample, run

pytestmark = pytest.mark.shown

VOXEL = (60, 50)


@pytest.fixture
def noise(qtbot: QtBot, viewer: Viewer) -> NoiseDock:
    dock = open_dock(viewer, "MRI noise")
    open_sample(viewer, dock)
    dock.scan._slice.setValue(0)
    run(qtbot, dock)
    viewer.dims.set_current_step(0, 0)
    return dock


def place(noise: NoiseDock, voxel: tuple[int, int] = VOXEL) -> tuple[float, float]:
    size = noise.shared.shelf["std"].scale[-2:]
    return float(voxel[0] * size[0]), float(voxel[1] * size[1])


def correlations(viewer: Viewer) -> list[Image]:
    return [layer for layer in viewer.layers if "correlation" in layer.name]


def test_a_click_shows_the_correlation_of_the_voxel(qtbot: QtBot, viewer: Viewer, noise: NoiseDock) -> None:
    switch = noise.show_panel.correlation
    mouse.click(viewer, place(noise))
    assert not switch.busy
    switch.setChecked(True)
    mouse.click(viewer, place(noise))
    qtbot.waitUntil(lambda: bool(correlations(viewer)), timeout=PATIENCE)
    (layer,) = correlations(viewer)
    session = noise.shared.session
    (expected,) = read_voxel(session.shown, session.opened, VOXEL, StageCache())
    assert layer.name == f"noise correlation with voxel {VOXEL[0]}, {VOXEL[1]}"
    assert np.allclose(layer.data[0], expected.correlation, atol=1e-5)
    assert layer.contrast_limits == [-0.5, 0.5]
    visible = [each.name for each in viewer.layers if each.visible]
    assert visible[-1] == layer.name
    assert noise.shared.shelf["reconstruction"].visible
    assert not noise.shared.shelf["std"].visible
    mouse.click(viewer, place(noise, (61, 52)))
    qtbot.waitUntil(lambda: "61, 52" in correlations(viewer)[0].name, timeout=PATIENCE)
    assert len(correlations(viewer)) == 1


def test_neither_a_drag_nor_a_click_outside_asks(qtbot: QtBot, viewer: Viewer, noise: NoiseDock) -> None:
    switch = noise.show_panel.correlation
    switch.setChecked(True)
    mouse.drag(viewer, place(noise), place(noise, (70, 60)))
    mouse.click(viewer, place(noise, (-20, 50)))
    assert not switch.busy
    viewer.dims.set_current_step(0, 2)
    mouse.click(viewer, place(noise))
    assert not switch.busy
    switch.setChecked(False)
    viewer.dims.set_current_step(0, 0)
    mouse.click(viewer, place(noise))
    assert not switch.busy


def test_the_status_bar_tells_the_noise_of_the_voxel_under_the_pointer(
    qtbot: QtBot, viewer: Viewer, noise: NoiseDock
) -> None:
    said = voxel_sentence(noise.shared.session.shown.result, VOXEL)
    viewer.mouse_over_canvas = True

    def told(voxel: tuple[int, int]) -> str:
        mouse.hover(viewer, place(noise, voxel))
        viewer.update_status_from_cursor()  # what napari's status thread does, which its test windows have not
        status = viewer.status
        return status if isinstance(status, str) else status["coordinates"]

    assert "noise std" in told((40, 40))
    assert told(VOXEL).endswith(said)
    assert "voxel" not in told((-20, 50))
    viewer.dims.set_current_step(0, 2)
    assert said not in told(VOXEL)


def test_a_run_without_its_scan_has_no_correlation(viewer: Viewer, noise: NoiseDock) -> None:
    noise.shared.session = Session(shown=noise.shared.session.shown)
    noise.show_panel.correlation.ask(VOXEL)
    assert "needs a finished run of the open scan" in viewer.status
