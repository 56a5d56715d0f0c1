"""Whatever is done to the layer of regions, the table says what is drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari import Viewer
from napari.layers import Shapes
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from mri_noise.acquisition.coils import LowResolution
from mri_noise.acquisition.masks import Equispaced
from mri_noise.experiment import Experiment
from mri_noise.plugin.docks.roi_dock import RoiDock
from mri_noise.variance.sampling.sketch import Sketch
from tests.plugin import mouse
from tests.plugin.users import PATIENCE, open_dock, run
from tests.scan_files import kspace, write

pytestmark = pytest.mark.shown

CHEAP = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=12), coils=LowResolution(), variance=Sketch(n_probes=4)
)
BOX = np.array([[0, 7.5, 7.5], [0, 7.5, 13.5], [0, 15.5, 13.5], [0, 15.5, 7.5]])
N_VOXELS = 8 * 6


@pytest.fixture
def roi(qtbot: QtBot, viewer: Viewer, tmp_path: Path) -> RoiDock:
    """The dock, with one rectangle on the map of a small scan."""
    noise = open_dock(viewer, "MRI noise")
    made: RoiDock = open_dock(viewer, "ROI noise")
    viewer.open(write(tmp_path / "scan.h5", kspace(1)), plugin="napari-mri-noise")
    run(qtbot, noise, CHEAP)
    made.draw("select")
    shapes_of(made).add(BOX, shape_type="rectangle")
    require(qtbot, made, {"ROI 1": N_VOXELS})
    return made


def shapes_of(roi: RoiDock) -> Shapes:
    assert roi.regions.shapes is not None
    return roi.regions.shapes


def require(qtbot: QtBot, roi: RoiDock, expected: dict[str, int]) -> None:
    """These regions with so many voxels are in the table, with error bars, and their names beside the shapes."""

    def found() -> dict[str, int]:
        frame = roi.table.frame
        rows = [] if frame.empty else [name for name in frame.columns if " - " not in name]
        return {name: int(frame.loc["voxels", name]) for name in rows}

    def known() -> bool:
        frame = roi.table.frame
        return all(pd.notna(frame.loc["std of mean", name]) for name, n in expected.items() if n)

    qtbot.waitUntil(lambda: found() == expected and known(), timeout=PATIENCE)
    assert roi.status.text.text().startswith("Regions of run 1") == bool(expected)
    features = shapes_of(roi).features
    assert len(features) == len(shapes_of(roi).data)
    assert [name for name in features["region"] if name in expected] == list(expected)


def press(viewer: Viewer, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(mouse.canvas(viewer), key, modifier)


def abandon_polygon(viewer: Viewer, roi: RoiDock) -> None:
    """One click, Escape."""
    roi.draw("add_polygon")
    mouse.click(viewer, (20, 20))
    press(viewer, Qt.Key.Key_Escape)


def abandon_polygon_by_mode(viewer: Viewer, roi: RoiDock) -> None:
    """Two clicks, then another tool: napari keeps what was drawn."""
    roi.draw("add_polygon")
    mouse.click(viewer, (20, 20))
    mouse.click(viewer, (20, 22))
    roi.draw("select")


def draw_nothing(viewer: Viewer, roi: RoiDock) -> None:
    """A polygon whose vertices lie on one line between two rows."""
    roi.draw("add_polygon")
    for column in (5, 12, 18):
        mouse.click(viewer, (20.4, column))
    press(viewer, Qt.Key.Key_Escape)


@pytest.mark.parametrize("act", [abandon_polygon, abandon_polygon_by_mode, draw_nothing])
def test_what_encloses_nothing_leaves_the_other_regions_alone(
    qtbot: QtBot, viewer: Viewer, roi: RoiDock, act: Callable[[Viewer, RoiDock], None]
) -> None:
    act(viewer, roi)
    empty = {} if act is abandon_polygon else {"ROI 2": 0}
    require(qtbot, roi, {"ROI 1": N_VOXELS} | empty)
    shapes_of(roi).add(BOX + np.array([0, 4, 2]), shape_type="rectangle")
    frame = roi.table.frame
    assert N_VOXELS in list(frame.loc["voxels"])[1:]
    roi.draw("select")
    shapes_of(roi).selected_data = {0}
    press(viewer, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: "ROI 1" not in roi.table.frame.columns, timeout=PATIENCE)


def test_an_abandoned_polygon_as_the_first_thing_drawn(qtbot: QtBot, viewer: Viewer, roi: RoiDock) -> None:
    viewer.layers.remove(shapes_of(roi))
    abandon_polygon(viewer, roi)
    require(qtbot, roi, {})
    shapes_of(roi).add(BOX, shape_type="rectangle")
    require(qtbot, roi, {"ROI 1": N_VOXELS})


def test_a_region_that_is_copied_and_pasted_has_a_row_and_an_error_bar(
    qtbot: QtBot, viewer: Viewer, roi: RoiDock
) -> None:
    roi.draw("select")
    shapes_of(roi).selected_data = {0}
    press(viewer, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    press(viewer, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    require(qtbot, roi, {"ROI 1": N_VOXELS, "ROI 2": N_VOXELS})


def test_a_polygon_that_is_abandoned_with_a_click_of_the_slider(qtbot: QtBot, viewer: Viewer, roi: RoiDock) -> None:
    roi.draw("add_polygon")
    mouse.click(viewer, (20, 20))
    shapes_of(roi).add(BOX + np.array([0, 2, 2]), shape_type="rectangle")
    press(viewer, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: list(roi.table.frame.loc["voxels"])[:2] == [N_VOXELS] * 2, timeout=PATIENCE)


@pytest.mark.filterwarnings("ignore:Applying the encoding failed:RuntimeWarning")  # napari says it of the labels
@pytest.mark.parametrize(
    "features", [pd.DataFrame({"mine": [1.0]}), pd.DataFrame({"region": [5]}), pd.DataFrame({"region": [None]})]
)
def test_a_table_of_features_without_names_names_regions_anew(
    qtbot: QtBot, roi: RoiDock, features: pd.DataFrame
) -> None:
    shapes_of(roi).features = features
    require(qtbot, roi, {"ROI 1": N_VOXELS})


def test_a_region_and_a_layer_that_are_renamed(qtbot: QtBot, viewer: Viewer, roi: RoiDock) -> None:
    shapes_of(roi).features = pd.DataFrame({"region": ["white matter"]})
    require(qtbot, roi, {"white matter": N_VOXELS})
    shapes_of(roi).name = "mine"
    shapes_of(roi).data = [BOX, BOX + np.array([0, 1, 1])]
    require(qtbot, roi, {"white matter": N_VOXELS, "ROI 1": N_VOXELS})
    viewer.layers.remove(shapes_of(roi))
    qtbot.waitUntil(lambda: roi.table.frame.empty, timeout=PATIENCE)
