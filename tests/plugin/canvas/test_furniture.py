"""Whatever is done in a window, text, names and colour bars are of what is seen."""

from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from napari.layers import Image
from pytestqt.qtbot import QtBot

from mri_noise.acquisition.masks import Equispaced
from mri_noise.plugin.canvas.layers import source_of
from mri_noise.plugin.docks.noise_dock import NoiseDock
from tests.plugin.test_two_scans import CHEAP, open_files, scan_file, show_correlation_and_film
from tests.plugin.users import PATIENCE, open_dock, run

pytestmark = pytest.mark.shown


@pytest.fixture
def dock(qtbot: QtBot, viewer: Viewer, tmp_path: Path) -> NoiseDock:
    """A window with the maps of slice 1 of a scan of two slices."""
    made: NoiseDock = open_dock(viewer, "MRI noise")
    open_files(viewer, scan_file(tmp_path / "a.h5", 2, (5.0, 1.0, 1.0)))
    made.scan._slice.setValue(1)
    run(qtbot, made, CHEAP)
    qtbot.waitUntil(lambda: not made.shared.busy, timeout=PATIENCE)
    return made


def text_of(viewer: Viewer) -> str:
    text = viewer.canvas.overlays.text
    return text.text if text.visible and text.opacity else ""


def labelled(viewer: Viewer) -> list[str]:
    """The layers whose names and colour bars are drawn, which are the same outside a grid."""
    ours = [layer for layer in viewer.layers if isinstance(layer, Image) and source_of(layer) is not None]
    assert all(layer.colorbar.visible == layer.name_overlay.visible for layer in ours)
    return [layer.name for layer in ours if layer.colorbar.visible]


def test_the_top_map_has_the_only_bar_and_its_caption(viewer: Viewer, dock: NoiseDock) -> None:
    assert labelled(viewer) == ["noise std [a.u.]"]
    assert "4 probes" in text_of(viewer)
    dock.shared.shelf["snr"].visible = True
    assert labelled(viewer) == ["SNR"]
    viewer.layers.move(viewer.layers.index(dock.shared.shelf["std"]), len(viewer.layers))
    assert labelled(viewer) == ["noise std [a.u.]"]
    for key in ("snr", "std"):
        dock.shared.shelf[key].visible = False
    assert labelled(viewer) == []
    assert "probes" not in text_of(viewer)
    assert "R = " in text_of(viewer)


def test_a_slice_without_a_map_has_none(viewer: Viewer, dock: NoiseDock) -> None:
    viewer.dims.set_current_step(0, 0)
    assert (text_of(viewer), labelled(viewer)) == ("", [])
    viewer.dims.set_current_step(0, 1)
    assert labelled(viewer) == ["noise std [a.u.]"]
    assert "4 probes" in text_of(viewer)


@pytest.mark.parametrize("add", ["add_kspace", "add_coils", "add_coil_maps"])
def test_raw_data_on_top_have_neither_caption_nor_the_bar_of_a_map(viewer: Viewer, dock: NoiseDock, add: str) -> None:
    getattr(dock.scan, add)()
    assert (text_of(viewer), labelled(viewer)) == ("", [])
    viewer.layers.pop()
    assert labelled(viewer) == ["noise std [a.u.]"]
    assert "4 probes" in text_of(viewer)


def test_another_scan_or_picture_on_top_has_none(viewer: Viewer, dock: NoiseDock, tmp_path: Path) -> None:
    before = text_of(viewer)
    open_files(viewer, scan_file(tmp_path / "b.h5", 2, (5.0, 1.0, 1.0)))
    assert (text_of(viewer), labelled(viewer)) == ("", [])
    viewer.layers.pop()
    viewer.add_image(np.zeros((2, 32, 28)), scale=(5, 1, 1))
    assert (text_of(viewer), labelled(viewer)) == ("", [])
    viewer.layers.pop()
    viewer.add_points(np.zeros((1, 3)))
    assert text_of(viewer) == before


def test_without_layers_there_is_nothing(viewer: Viewer, dock: NoiseDock) -> None:
    viewer.layers.clear()
    assert text_of(viewer) == ""


def test_a_film_after_a_correlation_has_its_own_caption(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    show_correlation_and_film(qtbot, dock)
    assert labelled(viewer) == []
    assert "probes" not in text_of(viewer)
    assert "R = " in text_of(viewer)
    (film,) = (layer for layer in viewer.layers if layer.ndim == 4)
    viewer.layers.remove(film)
    viewer.dims.set_current_step(0, 1)
    assert labelled(viewer) == ["noise correlation with voxel 14, 12"]


def test_what_is_stale_is_said_on_the_canvas_until_it_is_true_again(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock
) -> None:
    before = text_of(viewer)
    dock.form.editors["undersampling"].value = Equispaced(acceleration=3, n_calibration=12)
    qtbot.waitUntil(lambda: text_of(viewer).startswith("Stale, changed since: acceleration 3\n"), timeout=PATIENCE)
    dock.form.value = CHEAP
    qtbot.waitUntil(lambda: text_of(viewer) == before, timeout=PATIENCE)


def test_the_text_and_the_bars_of_the_user_are_left_alone(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    text = viewer.canvas.overlays.text
    viewer.dims.set_current_step(0, 0)
    text.text, text.visible = "subject 7", True
    viewer.dims.set_current_step(0, 1)
    assert "4 probes" in text_of(viewer)
    viewer.dims.set_current_step(0, 0)
    assert text_of(viewer) == "subject 7"
    viewer.dims.set_current_step(0, 1)
    dock.shared.shelf["std"].colorbar.visible = False
    run(qtbot, dock, CHEAP)
    assert not dock.shared.shelf["std"].colorbar.visible


def test_in_a_grid_each_cell_has_its_name_and_the_maps_their_bars(viewer: Viewer, dock: NoiseDock) -> None:
    dock.tiles.setChecked(True)
    shelf = dock.shared.shelf
    assert all(shelf[key].name_overlay.visible for key in ("reconstruction", "std", "snr", "g"))
    assert [key for key in ("reconstruction", "std", "snr", "g") if shelf[key].colorbar.visible] == ["std", "snr", "g"]
    assert text_of(viewer).count("R = ") == 1
    dock.tiles.setChecked(False)
    assert labelled(viewer) == ["noise std [a.u.]"]
