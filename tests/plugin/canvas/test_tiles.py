import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from mri_noise.plugin.canvas.furniture import CanvasFurniture
from mri_noise.plugin.canvas.layers import Shelf, add_layer
from mri_noise.plugin.canvas.tiles import Tiles
from mri_noise.plugin.opening import scan_layer
from mri_noise.session.layer_data import image_layers, map_layers
from mri_noise.session.state import Session
from tests.session.examples import OPENED, steps

RESULT = steps()[-1].result


@pytest.fixture
def shelf() -> Shelf:
    viewer = ViewerModel()
    add_layer(viewer, scan_layer(OPENED))
    made = Shelf(viewer)
    made.show((*image_layers(RESULT, "run 1"), *map_layers(RESULT, "run 1")), RESULT)
    return made


def visible(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def test_the_image_and_its_maps_are_laid_out_and_taken_back(qtbot: QtBot, shelf: Shelf) -> None:
    viewer = shelf.viewer
    _furniture = CanvasFurniture(viewer, Session)
    tiles = Tiles(viewer, shelf)
    qtbot.addWidget(tiles)
    before = visible(viewer)
    tiles.setChecked(True)
    assert visible(viewer) == ["CG-SENSE [a.u.]", "noise std [a.u.]", "SNR", "g-factor"]
    assert viewer.canvas.grid.enabled
    assert all(shelf[key].name_overlay.visible for key in ("reconstruction", "std", "snr", "g"))
    tiles.setChecked(False)
    assert not viewer.canvas.grid.enabled
    assert visible(viewer) == before
    assert not shelf["reconstruction"].name_overlay.visible


def test_it_follows_the_grid_of_the_window(qtbot: QtBot, shelf: Shelf) -> None:
    viewer = shelf.viewer
    tiles = Tiles(viewer, shelf)
    qtbot.addWidget(tiles)
    before = visible(viewer)
    tiles.setChecked(True)
    viewer.canvas.grid.enabled = False
    assert not tiles.isChecked()
    assert visible(viewer) == before
    viewer.canvas.grid.enabled = True
    assert tiles.isChecked()
    tiles.leave()
    viewer.canvas.grid.enabled = False
    assert tiles.isChecked()


def test_without_a_run_there_is_nothing_to_lay_out(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    tiles = Tiles(viewer, Shelf(viewer))
    qtbot.addWidget(tiles)
    tiles.setChecked(True)
    assert not viewer.canvas.grid.enabled
    assert not tiles.isChecked()
