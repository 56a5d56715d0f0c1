import numpy as np
import pytest
from napari import Viewer
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from mri_noise.plugin.canvas.whole_view import WholeView
from tests.plugin.users import PATIENCE, open_dock, open_sample


@pytest.fixture
def model() -> ViewerModel:
    """A viewer with an image, all of which is in view."""
    viewer = ViewerModel()
    viewer.canvas.size = (600, 900)
    viewer.add_image(np.zeros((100, 100)))
    return viewer


def zoom_to_be_whole(viewer: ViewerModel) -> float:
    return 0.95 * min(viewer.canvas.size) / 100


def test_the_image_stays_whole_while_the_canvas_shrinks_and_grows(model: ViewerModel) -> None:
    _view = WholeView(model)
    for size in ((600, 400), (300, 400), (800, 700)):
        model.canvas.size = size
        assert model.scene.camera.zoom == pytest.approx(zoom_to_be_whole(model))


def test_a_zoom_or_a_shift_of_the_user_is_left_alone_until_home(model: ViewerModel) -> None:
    _view = WholeView(model)
    for attribute, value in (("zoom", 9.0), ("center", (10.0, 20.0))):
        setattr(model.scene.camera, attribute, value)
        model.canvas.size = (500, 400)
        model.canvas.size = (400, 500)
        assert np.all(
            getattr(model.scene.camera, attribute)[-2:] == value
            if attribute == "center"
            else model.scene.camera.zoom == value
        )
        model.reset_view()
        model.canvas.size = (300, 500)
        assert model.scene.camera.zoom == pytest.approx(zoom_to_be_whole(model))


def test_a_view_that_was_chosen_before_is_left_alone(model: ViewerModel) -> None:
    model.scene.camera.zoom = 9.0
    _view = WholeView(model)
    assert model.scene.camera.zoom == 9.0
    model.canvas.size = (300, 400)
    assert model.scene.camera.zoom == 9.0


def test_a_window_is_let_be_in_the_end(model: ViewerModel) -> None:
    view = WholeView(model)
    view.leave()
    zoom = model.scene.camera.zoom
    model.canvas.size = (300, 400)
    assert model.scene.camera.zoom == zoom


@pytest.mark.shown
def test_a_dock_does_not_cut_the_image(qtbot: QtBot, viewer: Viewer) -> None:
    viewer.window.resize(1000, 700)
    open_sample(viewer)
    before = viewer.canvas.size
    open_dock(viewer, "MRI noise")
    qtbot.waitUntil(lambda: viewer.canvas.size[1] < before[1], timeout=PATIENCE)
    rows, columns = np.ptp(viewer.layers.extent.world, axis=0)[-2:]
    height, width = viewer.canvas.size
    assert viewer.scene.camera.zoom * columns <= width
    assert viewer.scene.camera.zoom * rows <= height
