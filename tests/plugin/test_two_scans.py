"""Several scans in one window: each is itself, whatever it is called and wherever its voxels lie."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from napari import Viewer
from napari.layers import Layer
from pytestqt.qtbot import QtBot

from mri_noise.acquisition.coils import LowResolution
from mri_noise.acquisition.masks import Equispaced
from mri_noise.experiment import Experiment
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.docks.runs_dock import RunsDock
from mri_noise.session.layer_data import geometry
from mri_noise.variance.sampling.sketch import Sketch
from tests.plugin.users import PATIENCE, open_dock, run
from tests.scan_files import kspace, write

pytestmark = pytest.mark.shown

CHEAP = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=12), coils=LowResolution(), variance=Sketch(n_probes=4)
)


@pytest.fixture
def dock(viewer: Viewer) -> NoiseDock:
    return open_dock(viewer, "MRI noise")


def scan_file(path: Path, n_slices: int, voxel_size: tuple[float, float, float] | None = None) -> Path:
    """A scan of 32 x 28 voxels of a size, or of none that is known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, kspace(n_slices))
    if voxel_size is not None:
        with h5py.File(path, "r+") as file:
            file.attrs["slice_mm"] = voxel_size[0]
            file.attrs["fov_mm"] = np.array([voxel_size[1] * 32, voxel_size[2] * 28])
    return path


def open_files(viewer: Viewer, *paths: Path) -> None:
    for path in paths:
        viewer.open(path, plugin="napari-mri-noise")


def menu_of(dock: NoiseDock) -> list[str]:
    return [dock.scan._menu.itemText(row) for row in range(dock.scan._menu.count())]


def test_two_scans_of_one_file_name_are_two(qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path) -> None:
    paths = [scan_file(tmp_path / f"s{n}" / "raw" / "scan.h5", n) for n in (1, 3)]
    open_files(viewer, paths[0])
    assert menu_of(dock) == ["scan.h5"]
    open_files(viewer, paths[1])
    assert menu_of(dock) == ["s1/raw/scan.h5", "s3/raw/scan.h5"]
    assert [layer.name for layer in viewer.layers] == ["s1/raw/scan.h5 [a.u.]", "s3/raw/scan.h5 [a.u.]"]
    for row, (n_slices, path) in enumerate(((1, paths[0]), (3, paths[1]))):
        dock.scan._menu.setCurrentIndex(row)
        assert dock.scan._facts.text().startswith(f"{n_slices} slice")
        assert str(path) in dock.scan._menu.toolTip()
        run(qtbot, dock, CHEAP)
        shown = dock.shared.session.shown
        assert shown is not None
        assert shown.job.opened.path == path
        assert len(shown.job.opened.scan) == n_slices
    dock.take_away.copy_command()
    runs = open_dock(viewer, "Runs")
    assert list(runs.runs.frame["scan"]) == ["s1/raw/scan.h5", "s3/raw/scan.h5"]
    assert runs.runs.frame["changed"].iloc[1].startswith("scan s3/raw/scan.h5")
    dock.scan.add_kspace()
    assert viewer.layers[-1].name.startswith("k-space, s3/raw/scan.h5, log magnitude")
    (of_first,) = (layer for layer in viewer.layers if layer.name.startswith("s1/"))
    viewer.layers.remove(of_first)
    assert menu_of(dock) == ["scan.h5"]
    assert dock.scan.opened.path == paths[1]
    assert viewer.layers[-1].name.startswith("k-space, scan.h5")


def test_a_file_that_was_written_anew_and_is_opened_again_is_the_one_that_is_shown_and_computed(
    viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    path = scan_file(tmp_path / "scan.h5", 1)
    open_files(viewer, path)
    scan_file(path, 3)
    open_files(viewer, path)
    assert menu_of(dock) == ["scan.h5"]
    assert dock.scan._facts.text().startswith("3 slices")
    assert len(dock.shared.session.opened.scan) == 3


def test_a_name_that_the_user_gave_a_layer_stays(viewer: Viewer, dock: NoiseDock, tmp_path: Path) -> None:
    paths = [scan_file(tmp_path / f"s{n}" / "scan.h5", n) for n in (1, 2)]
    open_files(viewer, paths[0])
    viewer.layers[0].name = "before"
    open_files(viewer, paths[1])
    assert [layer.name for layer in viewer.layers] == ["before", "s2/scan.h5 [a.u.]"]
    assert menu_of(dock) == ["s1/scan.h5", "s2/scan.h5"]


def geometry_of(layer: Layer) -> tuple[object, ...]:
    return (tuple(layer.scale), tuple(layer.translate), tuple(map(str, layer.units)), layer.axis_labels)


def test_the_layers_of_a_second_scan_lie_where_its_voxels_are(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    """Maps, regions, correlation, film, sweep and grid."""
    open_files(viewer, scan_file(tmp_path / "a.h5", 2, (5.0, 1.0, 2.0)))
    roi, runs = open_dock(viewer, "ROI noise"), open_dock(viewer, "Runs")
    run(qtbot, dock, CHEAP)
    roi.draw("select")
    shapes = roi.regions.shapes
    shapes.add(np.array([[0, 8, 8], [0, 8, 16], [0, 20, 16], [0, 20, 8]], dtype=float), shape_type="ellipse")
    show_correlation_and_film(qtbot, dock)
    for name, size, units in (("b.h5", (3.0, 1.5, 0.5), "millimeter"), ("c.h5", None, "pixel")):
        before = [shapes.data_to_world(vertex) for vertex in shapes.data[0]]
        open_files(viewer, scan_file(tmp_path / name, 2, size))
        dock.scan._menu.setCurrentIndex(dock.scan._menu.count() - 1)
        dock.scan._slice.setValue(1)
        run(qtbot, dock, CHEAP)
        show_correlation_and_film(qtbot, dock)
        sweep_noise(qtbot, runs)
        scale = size or (1.0, 1.0, 1.0)
        expected = (scale, (scale[0], 0.0, 0.0), (units,) * 3, ("slice", "row", "column"))
        assert {geometry_of(layer) for layer in dock.shared.shelf.present().values()} == {expected}
        for layer in (layer for layer in viewer.layers if "correlation" in layer.name):
            assert geometry_of(layer) == expected
        stacks = [layer for layer in viewer.layers if layer.ndim == 4]
        assert len(stacks) == 5
        for layer in stacks:
            assert tuple(layer.scale) == (1.0, *scale)
            assert tuple(layer.translate) == (0.0, scale[0], 0.0, 0.0)
            assert tuple(map(str, layer.units)) == ("pixel", *(units,) * 3)
        runs.leave()
        assert geometry_of(shapes) == (scale, (0.0, 0.0, 0.0), (units,) * 3, ("slice", "row", "column"))
        after = [shapes.data_to_world(vertex) for vertex in shapes.data[0]]
        assert np.allclose(after, before)
        assert list(shapes.shape_type) == ["ellipse"]
        assert list(shapes.features["region"]) == ["ROI 1"]
    first, *_, last = dock.shared.session.runs
    dock.shared.grid.show(first, last)
    cells = [layer for layer in viewer.layers if layer.visible and "std" in layer.name]
    assert {geometry_of(layer) for layer in cells} == {geometry_of(cells[0])}
    assert tuple(cells[0].scale) == (5.0, 1.0, 2.0)


def show_correlation_and_film(qtbot: QtBot, dock: NoiseDock) -> None:
    panel = dock.show_panel
    panel.correlation.ask((14, 12))
    qtbot.waitUntil(lambda: not panel.correlation.busy, timeout=PATIENCE)
    panel.film.n_frames.setValue(2)
    panel.film.draw()
    qtbot.waitUntil(panel.film.play.isChecked, timeout=PATIENCE)
    panel.film.play.setChecked(False)


def sweep_noise(qtbot: QtBot, runs: RunsDock) -> None:
    runs.sweep.parameter.setCurrentText("noise level")
    runs.sweep.values.setText("1, 2")
    runs.sweep.start()
    qtbot.waitUntil(lambda: not runs.sweep.busy, timeout=PATIENCE)


def test_a_region_counts_the_voxels_that_it_covers_on_screen(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    open_files(
        viewer, scan_file(tmp_path / "a.h5", 1, (5.0, 1.0, 1.0)), scan_file(tmp_path / "b.h5", 1, (5.0, 2.0, 0.5))
    )
    roi = open_dock(viewer, "ROI noise")
    run(qtbot, dock, CHEAP)
    roi.draw("select")
    corners = np.array([[0, 3.5, 3.4], [0, 3.5, 9.4], [0, 11.5, 9.4], [0, 11.5, 3.4]])
    roi.regions.shapes.add(corners, shape_type="rectangle")
    assert roi.table.frame.loc["voxels", "ROI 1"] == 8 * 6
    roi.regions.shapes.translate = (0.0, 4.0, 0.0)
    assert roi.regions.drawn(geometry((5.0, 1.0, 1.0)))[0].roi.corners[0] == pytest.approx((7.5, 3.4))
    roi.regions.shapes.translate = (0.0, 0.0, 0.0)
    dock.scan._menu.setCurrentIndex(1)
    run(qtbot, dock, CHEAP)
    qtbot.waitUntil(lambda: roi.table.frame.loc["voxels", "ROI 1"] == 4 * 12, timeout=PATIENCE)
