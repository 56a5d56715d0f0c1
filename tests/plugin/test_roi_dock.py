from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot

from mri_noise.pipeline import StageCache
from mri_noise.plugin.noise_dock import NoiseDock
from mri_noise.plugin.roi_dock import RoiDock
from mri_noise.roi import Ellipse, Polygon
from mri_noise.session.readouts import linearised
from mri_noise.variance.readout import contrast_noise, region_noise
from tests.plugin.users import PATIENCE, open_dock, open_sample, run

BOX = np.array([[0, 50, 40], [0, 50, 60], [0, 70, 60], [0, 70, 40]], dtype=float)
BESIDE = BOX + np.array([0, 5, 30])


@pytest.fixture
def docks(qtbot: QtBot, viewer: Viewer) -> tuple[NoiseDock, RoiDock]:
    noise, roi = open_dock(viewer, "MRI noise"), open_dock(viewer, "ROI noise")
    open_sample(viewer)
    return noise, roi


def wait_for_exact(qtbot: QtBot, roi: RoiDock, n_regions: int) -> pd.DataFrame:
    qtbot.waitUntil(
        lambda: len(roi.table.frame.columns) == n_regions and "std of mean" in roi.table.frame.index, timeout=PATIENCE
    )
    return roi.table.frame


def test_it_says_what_is_missing(docks: tuple[NoiseDock, RoiDock]) -> None:
    assert "No map" in docks[1].status.text.text()


def test_a_drawn_region_gets_its_row_and_its_exact_error_bar(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    roi.draw("add_ellipse")
    shapes = roi.regions.shapes
    assert shapes is not None
    assert shapes.units == noise.shared.shelf["std"].units
    shapes.add(BOX, shape_type="ellipse")
    shapes.add(BESIDE, shape_type="polygon")
    table = wait_for_exact(qtbot, roi, 2)
    shown = noise.shared.session.shown
    assert shown is not None
    operator = linearised(shown, noise.shared.session.opened, StageCache())
    first = Ellipse(center=(60, 50), radii=(10, 10))((128, 128))
    second = Polygon(vertices=tuple(map(tuple, BESIDE[:, 1:])))((128, 128))
    expected = region_noise(operator, shown.result.image, first)
    assert table["ROI 1"]["std of mean"] == pytest.approx(expected.standard_deviation_magnitude, rel=1e-4)
    assert table["ROI 1"]["voxels"] == expected.n_voxels
    contrast = contrast_noise(operator, shown.result.image, first, second)
    assert f"{contrast.difference:.4g} ± {contrast.standard_deviation:.2g}" in roi.contrast.text()
    assert list(shapes.features["region"]) == ["ROI 1", "ROI 2"]
    assert shapes.features["std of mean"][0] == pytest.approx(expected.standard_deviation_magnitude, rel=1e-4)


def test_the_row_follows_a_drag_before_the_release(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    roi.draw("add_rectangle")
    shapes = roi.regions.shapes
    assert shapes is not None
    shapes.add(BOX, shape_type="rectangle")
    before = wait_for_exact(qtbot, roi, 1)["ROI 1"]["mean signal"]
    with shapes.events.data.blocker():  # as during a drag
        shapes.data = [BOX + np.array([0, 20, 10])]
    qtbot.waitUntil(lambda: roi.table.frame["ROI 1"]["mean signal"] != before, timeout=PATIENCE)
    assert "std of mean" not in roi.table.frame.index
    assert "come on release" in roi.status.text.text()


def test_regions_stay_with_their_slice_and_follow_the_next_run(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    roi.draw("add_rectangle")
    assert roi.regions.shapes is not None
    roi.regions.shapes.add(BOX, shape_type="rectangle")
    roi.regions.shapes.add(BOX + np.array([2, 0, 0]), shape_type="rectangle")
    assert list(wait_for_exact(qtbot, roi, 1).columns) == ["ROI 1"]
    noise.scan._slice.setValue(2)
    run(qtbot, noise)
    assert list(wait_for_exact(qtbot, roi, 1).columns) == ["ROI 2"]


def test_the_table_is_saved(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock], tmp_path: Path) -> None:
    noise, roi = docks
    run(qtbot, noise)
    roi.draw("add_rectangle")
    assert roi.regions.shapes is not None
    roi.regions.shapes.add(BOX, shape_type="rectangle")
    table = wait_for_exact(qtbot, roi, 1)
    roi.save(tmp_path / "regions.csv")
    read = pd.read_csv(tmp_path / "regions.csv", index_col="region")
    assert read.loc["ROI 1"].to_numpy(float) == pytest.approx(table["ROI 1"].to_numpy(float))


def test_a_scan_that_is_not_open_is_said(qtbot: QtBot, docks: tuple[NoiseDock, RoiDock]) -> None:
    noise, roi = docks
    run(qtbot, noise)
    roi.draw("add_rectangle")
    noise.shared.session = noise.shared.session.__class__(shown=noise.shared.session.shown)
    assert roi.regions.shapes is not None
    roi.regions.shapes.add(BOX, shape_type="rectangle")
    assert "need the scan" in roi.status.text.text()
