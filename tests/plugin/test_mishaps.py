"""What goes wrong in a window: each mishap is a sentence with a remedy, and leaves the former maps as they were."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari import Viewer
from pytestqt.qtbot import QtBot

from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.samples import FASTMRI, ISMRMRD, sample_path
from mri_noise.variance.sampling.sketch import Sketch
from tests.plugin.users import LONG, PATIENCE, QUICK, finish, open_dock, open_sample, run


@pytest.fixture
def dock(viewer: Viewer) -> NoiseDock:
    return open_dock(viewer, "MRI noise")


def test_a_scan_file_that_disappears_is_a_sentence(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path, said: list[str]
) -> None:
    path = tmp_path / "scan.h5"
    shutil.copy(sample_path(FASTMRI), path)
    viewer.open(path, plugin="napari-mri-noise")
    run(qtbot, dock)
    former = dock.shared.shelf["std"].data.copy()
    path.unlink()
    viewer.dims.set_current_step(0, 3)
    qtbot.waitUntil(lambda: any("scan.h5" in message for message in said), timeout=PATIENCE)
    run(qtbot, dock)
    assert "scan.h5" in dock.status.text.text()
    assert np.array_equal(dock.shared.shelf["std"].data, former)


@pytest.mark.parametrize("content", [b"", b"not HDF5"])
def test_a_file_that_is_no_scan_is_a_sentence_and_no_traceback(
    viewer: Viewer, dock: NoiseDock, tmp_path: Path, said: list[str], content: bytes
) -> None:
    path = tmp_path / "text.h5"
    path.write_bytes(content)
    viewer.open(path, plugin="napari-mri-noise")
    (message,) = said
    assert "text.h5" in message
    assert "Traceback" not in message
    assert len(viewer.layers) == 0
    assert "No scan" in dock.status.text.text()


def test_memory_that_runs_out_halves_the_batch_and_the_status_says_so(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = Sketch.__call__

    def exhaust(self: Sketch, *arguments: Any) -> Any:
        if self.batch is not None and self.batch > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(self, *arguments)

    monkeypatch.setattr(Sketch, "__call__", exhaust)
    open_sample(viewer, dock)
    run(qtbot, dock, QUICK.model_copy(update={"variance": Sketch(n_probes=8, batch=8)}))
    assert dock.shared.session.status.kind == "done"
    assert dock.status.text.text().endswith("Memory ran out; this run uses batches of 2.")


def test_memory_that_runs_out_altogether_is_a_sentence(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    open_sample(viewer, dock)
    monkeypatch.setattr("mri_noise.pipeline.reconstruct", exhaust)
    run(qtbot, dock)
    assert "not enough memory" in dock.status.text.text()
    assert not dock.shared.busy


def test_a_cancelled_run_leaves_no_thread(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer)
    dock.form.value = LONG
    dock.run()
    dock.cancel_button.click()
    finish(qtbot, dock)
    assert not dock.shared.busy
    assert dock.shared.session.problem == "Run 1 was cancelled before its map."
    assert dock.bar.share == 0


def test_python_can_end_during_a_run() -> None:
    script = (
        "import os; os.environ['NAPARI_CONFIG'] = ''\n"
        "from napari import Viewer\n"
        "from qtpy.QtWidgets import QApplication\n"
        "viewer = Viewer(show=False)\n"
        "viewer.open_sample('napari-mri-noise', 'brain')\n"
        "_, dock = viewer.window.add_plugin_dock_widget('napari-mri-noise', 'MRI noise')\n"
        "dock.run()\n"
        "[QApplication.processEvents() for _ in range(20)]\n"
        "viewer.close()\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_weights_that_are_chosen_by_hand(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    menu = dock.form.editors["reconstruction"].menu
    menu.setCurrentIndex(menu.findText("own weights …"))
    qtbot.waitUntil(lambda: "no file is chosen" in dock.status.text.text(), timeout=PATIENCE)
    assert not dock.run_button.isEnabled()


def test_samples_have_both_formats() -> None:
    assert sample_path(ISMRMRD).is_file()
    with pytest.raises(ValueError, match="not installed"):
        sample_path("other.h5")
