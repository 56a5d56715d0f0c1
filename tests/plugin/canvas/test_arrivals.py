from dataclasses import replace

from napari.components import ViewerModel
from napari.utils.events import Event
from pytestqt.qtbot import QtBot

from mri_noise.plugin.canvas.arrivals import Arrivals
from mri_noise.plugin.canvas.furniture import CanvasFurniture
from mri_noise.plugin.canvas.layers import Shelf
from mri_noise.session.layer_data import METADATA, image_layers, map_layers
from mri_noise.session.state import Session
from tests.plugin.users import PATIENCE
from tests.session.examples import steps

FIRST, EARLY, LAST = steps()[0], steps()[3], steps()[-1]


def test_layers_come_one_at_a_time_the_visible_one_first(qtbot: QtBot) -> None:
    shelf = Shelf(ViewerModel())
    _furniture = CanvasFurniture(shelf.viewer, Session)
    arrivals = Arrivals(shelf)
    arrivals.show(image_layers(FIRST.result, "run 1", FIRST.reference), FIRST.result)
    assert shelf.present() == {}
    qtbot.waitUntil(lambda: bool(shelf.present()), timeout=PATIENCE)
    assert list(shelf.present()) == ["reconstruction"]
    assert not arrivals.settled
    qtbot.waitUntil(lambda: arrivals.settled, timeout=PATIENCE)
    assert set(shelf.present()) == {"reconstruction", "reference", "zero_filled", "error"}
    assert shelf.viewer.layers.selection == {shelf["reconstruction"]}
    assert [key for key, layer in shelf.present().items() if layer.visible] == ["reconstruction"]
    assert not shelf["error"].colorbar.visible
    shelf["error"].visible = True
    assert shelf["error"].colorbar.visible


def test_what_arrives_is_the_latest(qtbot: QtBot) -> None:
    shelf = Shelf(ViewerModel())
    arrivals = Arrivals(shelf)
    arrivals.show(map_layers(EARLY.result, "run 1"), EARLY.result)
    arrivals.show(map_layers(LAST.result, "run 1"), LAST.result)
    qtbot.waitUntil(lambda: arrivals.settled, timeout=PATIENCE)
    assert [layer.metadata[METADATA]["n_samples"] for layer in shelf.present().values()] == [8, 8, 8]


def test_a_layer_that_was_deleted_does_not_arrive_again_and_after_a_stop_none_does(qtbot: QtBot) -> None:
    shelf = Shelf(ViewerModel())
    arrivals = Arrivals(shelf)
    arrivals.show(map_layers(EARLY.result, "run 1"), EARLY.result)
    qtbot.waitUntil(lambda: "std" in shelf, timeout=PATIENCE)
    shelf.viewer.layers.remove(shelf["std"])
    arrivals.stop()
    qtbot.waitUntil(lambda: not arrivals._timer.isActive(), timeout=PATIENCE)  # the step that was due is over
    assert shelf.present() == {}
    arrivals.show([replace(spec) for spec in map_layers(LAST.result, "run 1", ["std"])], LAST.result)
    assert shelf.present() == {}


def test_a_layer_in_colours_is_shown_before_its_bar_and_its_name_which_are_made_before(qtbot: QtBot) -> None:
    shelf, order = Shelf(ViewerModel()), []

    def listen(event: Event) -> None:
        layer, bar, name = event.value, event.value.colorbar, event.value.name_overlay
        layer.events.visible.connect(lambda: order.append(("layer", layer.visible)))
        bar.events.visible.connect(lambda: order.append(("bar", bar.visible)))
        name.events.visible.connect(lambda: order.append(("name", name.visible)))

    shelf.viewer.layers.events.inserted.connect(listen)
    _furniture = CanvasFurniture(shelf.viewer, Session)
    arrivals = Arrivals(shelf)
    arrivals.show(map_layers(LAST.result, "run 1", ["std"]), LAST.result)
    qtbot.waitUntil(lambda: arrivals.settled, timeout=PATIENCE)
    made = [("bar", True), ("bar", False), ("name", True), ("name", False)]
    assert order == [*made, ("layer", True), ("bar", True), ("name", True)]
    shelf["std"].visible = False
    assert order[-3:] == [("layer", False), ("bar", False), ("name", False)]
