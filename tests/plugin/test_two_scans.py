"""Several scans in one window: each is itself, whatever it is called and wherever its voxels lie."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot

from mri_noise.coils import LowResolution
from mri_noise.experiment import Experiment
from mri_noise.masks import Equispaced
from mri_noise.plugin.noise_dock import NoiseDock
from mri_noise.variance.sketch import Sketch
from tests.plugin.users import open_dock, run
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
