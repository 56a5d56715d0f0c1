"""Scans that are undersampled as they were acquired."""

from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QImage

from mri_noise.acquisition.masks import AsAcquired, Equispaced
from mri_noise.plugin.docks.noise_dock import NoiseDock
from tests.plugin.test_two_scans import open_files, scan_file
from tests.plugin.users import PATIENCE, open_dock
from tests.scan_files import kspace, write

pytestmark = pytest.mark.shown


@pytest.fixture
def dock(viewer: Viewer) -> NoiseDock:
    return open_dock(viewer, "MRI noise")


def undersampled(path: Path) -> Path:
    """Every second line."""
    mask = np.arange(28) % 2 == 0
    return write(path, kspace(1) * mask.astype(np.complex64), mask=mask)


def tones(dock: NoiseDock) -> set[str]:
    """The colours along the middle of the picture."""
    image: QImage = dock._mask._picture.pixmap().toImage()
    return {image.pixelColor(x, image.height() // 2).name() for x in range(image.width())}


def wait_for(qtbot: QtBot, dock: NoiseDock, words: str) -> None:
    qtbot.waitUntil(lambda: dock._mask.text.text().startswith(words), timeout=PATIENCE)


def test_the_picture_shows_what_was_acquired_and_what_is_kept(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    open_files(viewer, undersampled(tmp_path / "half.h5"))
    assert dock.form.value.undersampling == AsAcquired()
    wait_for(qtbot, dock, "R = 2.00 (acquired 2.00)\nkeeps all that was acquired")
    assert tones(dock) == {"#000000", "#ffffff"}
    dock.form.editors["undersampling"].value = Equispaced(acceleration=4, n_calibration=0)
    wait_for(qtbot, dock, "R = 4.00 (acquired 2.00)\nkeeps 50 % of what was acquired")
    assert tones(dock) == {"#000000", "#486096", "#ffffff"}


def test_each_scan_is_undersampled_as_it_allows(qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path) -> None:
    open_files(viewer, scan_file(tmp_path / "full.h5", 1), undersampled(tmp_path / "half.h5"))
    for row, expected in ((0, Equispaced(acceleration=4)), (1, AsAcquired()), (0, Equispaced(acceleration=4))):
        dock.scan._menu.setCurrentIndex(row)
        assert dock.form.value.undersampling == expected
        assert dock.shared.session.experiment.undersampling == expected


def test_what_the_user_chose_stays_for_every_scan(viewer: Viewer, dock: NoiseDock, tmp_path: Path) -> None:
    open_files(viewer, scan_file(tmp_path / "full.h5", 1), undersampled(tmp_path / "half.h5"))
    chosen = Equispaced(acceleration=3, n_calibration=8)
    dock.form.editors["undersampling"].value = chosen
    dock.scan._menu.setCurrentIndex(1)
    assert dock.form.value.undersampling == chosen
