from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari import Viewer
from napari.layers import Shapes
from pytestqt.qtbot import QtBot

from mri_noise.pipeline import StageCache
from mri_noise.plugin.docks.compare_dock import CompareDock
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.docks.roi_dock import RoiDock
from mri_noise.readings import total_error
from mri_noise.roi import Ellipse, Polygon
from mri_noise.session.regions.readouts import linearised
from mri_noise.session.state import Session
from mri_noise.variance.readout import contrast_noise, region_noise
from tests.plugin import mouse
from tests.plugin.users import PATIENCE, QUICK, open_dock, open_sample, run

BOX = np.array([[0, 50, 40], [0, 50, 60], [0, 70, 60], [0, 70, 40]], dtype=float)
BESIDE = BOX + np.array([0, 5, 30])


@pytest.fixture
def docks(qtbot: QtBot, viewer: Viewer) -> tuple[NoiseDock, RoiDock]:
    noise, roi = open_dock(viewer, "MRI noise"), open_dock(viewer, "ROI noise")
    open_sample(viewer, noise)
    noise.scan._slice.setValue(0)
    return noise, roi


def shapes_of(roi: RoiDock, mode: str = "select") -> Shapes:
    roi.draw(mode)
    assert roi.regions.shapes is not None
    return roi.regions.shapes


def wait_for_exact(qtbot: QtBot, roi: RoiDock, n_rows: int) -> pd.DataFrame:
    def all_known() -> bool:
        frame = roi.table.frame
        return len(frame.columns) == n_rows and bool(frame.loc["std of mean"].notna().all())

    qtbot.waitUntil(all_known, timeout=PATIENCE)
    return roi.table.frame


def test_it_says_what_is_missing(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    assert "No map" in roi.status.text.text()
    run(qtbot, noise)
    assert "Draw a region" in roi.status.text.text()


@pytest.mark.shown
def test_a_region_is_drawn_and_moved_with_the_mouse(
    qtbot: QtBot, viewer: Viewer, docks: tuple[NoiseDock, RoiDock]
) -> None:
    noise, roi = docks
    run(qtbot, noise)
    viewer.dims.set_current_step(0, 0)
    shapes = shapes_of(roi, "add_rectangle")
    size = shapes.scale[-1]
    corners = (50 * size, 40 * size), (70 * size, 60 * size)
    mouse.press(viewer, corners[0])
    mouse.move(viewer, *corners)
    qtbot.waitUntil(lambda: roi.table.frame.shape[1] == 1, timeout=PATIENCE)
    assert roi.table.frame.loc["std of mean"].isna().all()
    assert "come on release" in roi.status.text.text()
    mouse.release(viewer, corners[1])
    drawn = wait_for_exact(qtbot, roi, 1)["ROI 1"]
    assert 19 * 19 <= drawn["voxels"] <= 22 * 22
    roi.draw("select")
    mouse.drag(viewer, (60 * size, 50 * size), (60 * size, 65 * size))
    qtbot.waitUntil(lambda: roi.table.frame["ROI 1"]["mean signal"] != drawn["mean signal"], timeout=PATIENCE)
    moved = wait_for_exact(qtbot, roi, 1)["ROI 1"]
    assert moved["std of mean"] != drawn["std of mean"]
    assert np.asarray(shapes.data[0])[:, 2].mean() == pytest.approx(65, abs=1.5)


def test_a_drawn_region_gets_its_row_and_its_exact_error_bar(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    shapes = shapes_of(roi)
    assert shapes.units == noise.shared.shelf["std"].units
    shapes.add(BOX, shape_type="ellipse")
    shapes.add(BESIDE, shape_type="polygon")
    table = wait_for_exact(qtbot, roi, 3)
    shown = noise.shared.session.shown
    assert shown is not None
    at = linearised(shown, noise.shared.session.opened, StageCache())
    first = Ellipse(center=(60, 50), radii=(10, 10))((128, 128))
    second = Polygon(vertices=tuple(map(tuple, BESIDE[:, 1:])))((128, 128))
    expected = region_noise(at.operator, at.image, first)
    assert table["ROI 1"]["std of mean"] == pytest.approx(expected.standard_deviation_magnitude, rel=1e-4)
    assert table["ROI 1"]["std of complex mean"] == pytest.approx(expected.standard_deviation, rel=1e-4)
    assert table["ROI 1"]["voxels"] == expected.n_voxels
    contrast = contrast_noise(at.operator, at.image, first, second)
    assert table["ROI 1 - ROI 2"]["mean signal"] == pytest.approx(contrast.difference, rel=1e-4)
    assert table["ROI 1 - ROI 2"]["std of mean"] == pytest.approx(contrast.standard_deviation, rel=1e-4)
    assert list(shapes.features["region"]) == ["ROI 1", "ROI 2"]
    assert shapes.features["std of mean"][0] == pytest.approx(expected.standard_deviation_magnitude, rel=1e-4)


def test_replicas_add_their_value_with_its_interval(
    qtbot: QtBot, viewer: Viewer, docks: tuple[NoiseDock, RoiDock]
) -> None:
    noise, roi = docks
    run(qtbot, noise)
    shapes_of(roi).add(BOX, shape_type="rectangle")
    assert "Monte Carlo std" not in wait_for_exact(qtbot, roi, 1).index
    compare: CompareDock = open_dock(viewer, "Compare with Monte Carlo")
    compare.n_replicas.setValue(12)
    compare.compare()
    qtbot.waitUntil(lambda: not compare.busy, timeout=PATIENCE)
    figures = wait_for_exact(qtbot, roi, 1)["ROI 1"]
    assert abs(figures["Monte Carlo std"] - figures["mean std"]) < 2 * figures["  ± (95 %)"]


def test_two_selected_regions_are_contrasted_and_names_stay(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    shapes = shapes_of(roi)
    for shift in (0, 20, 40):
        shapes.add(BOX + np.array([0, shift, 0]) * 0.5, shape_type="rectangle")
    assert list(wait_for_exact(qtbot, roi, 3).columns) == ["ROI 1", "ROI 2", "ROI 3"]
    shapes.selected_data = {0, 2}
    assert wait_for_exact(qtbot, roi, 4).columns[-1] == "ROI 1 - ROI 3"
    shapes.selected_data = {1}
    roi.regions.delete()
    assert list(wait_for_exact(qtbot, roi, 3).columns) == ["ROI 1", "ROI 3", "ROI 1 - ROI 3"]
    shapes.add(BESIDE, shape_type="rectangle")
    assert list(wait_for_exact(qtbot, roi, 3).columns) == ["ROI 1", "ROI 3", "ROI 4"]


def test_regions_stay_with_their_slice_or_are_read_on_every_one(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    shapes = shapes_of(roi)
    shapes.add(BOX, shape_type="rectangle")
    shapes.add(BOX + np.array([2, 0, 0]), shape_type="rectangle")
    assert list(wait_for_exact(qtbot, roi, 1).columns) == ["ROI 1"]
    shapes.selected_data = {0}
    roi.regions.delete()
    assert "lie on slice 2, the map on 0" in roi.status.text.text()
    shapes.add(BOX, shape_type="rectangle")
    noise.scan._slice.setValue(2)
    run(qtbot, noise)
    table = wait_for_exact(qtbot, roi, 2)
    assert list(table.loc["slice"]) == [0, 2]
    roi.everywhere.setChecked(True)
    table = wait_for_exact(qtbot, roi, 4)
    assert list(table.columns) == [f"ROI {n}, slice {index}" for index in (0, 2) for n in (2, 3)]
    run(qtbot, noise, QUICK.model_copy(update={"noise_scale": 2.0}))
    names = ["ROI 2, slice 2", "ROI 3, slice 2", "ROI 2 - ROI 3, slice 2"]
    assert list(wait_for_exact(qtbot, roi, 3).columns) == names


def test_the_table_is_saved(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock], tmp_path: Path) -> None:
    noise, roi = docks
    run(qtbot, noise)
    shapes_of(roi).add(BOX, shape_type="rectangle")
    table = wait_for_exact(qtbot, roi, 1)
    roi.save(tmp_path / "regions.csv")
    read = pd.read_csv(tmp_path / "regions.csv", index_col="region")
    figures = read.loc["ROI 1"].drop("linear").to_numpy(float)
    assert figures == pytest.approx(table["ROI 1"].drop("linear").to_numpy(float))
    assert read["linear"]["ROI 1"] == "yes"
    assert read["std known to [%]"]["ROI 1"] == pytest.approx(100 * total_error(noise.shared.session.shown.result))
    assert {"voxels", "mean signal [a.u.]", "median std [a.u.]", "mean g", "std of mean [a.u.]"} < set(read.columns)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".csv"] == ["regions.csv"]


def test_a_scan_that_is_not_open_is_said(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    shapes = shapes_of(roi)
    noise.shared.session = Session(shown=noise.shared.session.shown)
    shapes.add(BOX, shape_type="rectangle")
    assert "need the scan" in roi.status.text.text()
    assert roi.table.frame["ROI 1"]["mean std"] > 0


def test_a_deleted_layer_empties_the_table_and_drawing_makes_a_new_one(
    qtbot: QtBot, viewer: Viewer, docks: tuple[NoiseDock, RoiDock]
) -> None:
    noise, roi = docks
    run(qtbot, noise)
    shapes = shapes_of(roi)
    shapes.add(BOX, shape_type="rectangle")
    wait_for_exact(qtbot, roi, 1)
    viewer.layers.remove(shapes)
    qtbot.waitUntil(lambda: roi.table.frame.empty, timeout=PATIENCE)
    again = shapes_of(roi, "add_ellipse")
    assert again is not shapes
    assert again.mode == "add_ellipse"
