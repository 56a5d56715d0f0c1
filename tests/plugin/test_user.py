"""A user, from the first menu to the command that repeats the map."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from mri_noise import load_results
from mri_noise.pipeline import StageCache
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.widgets.sections import unbroken
from mri_noise.readings import comparison_of
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.roi import Rectangle
from mri_noise.session.agreement import verdict
from mri_noise.session.layer_data import METADATA
from mri_noise.session.regions.readouts import linearised
from mri_noise.variance.readout import region_noise
from mri_noise.variance.sampling.sketch import Sketch
from tests.plugin import mouse
from tests.plugin.users import PATIENCE, button_of, choose_from_menu, dock_of, finish

pytestmark = pytest.mark.shown

N_PROBES, N_REPLICAS = 24, 4


@pytest.mark.usefixtures("unhurried")
def test_a_user_maps_the_noise_of_the_sample(qtbot: QtBot, viewer: Viewer, tmp_path: Path) -> None:
    choose_from_menu("File", "Open Sample", "MRI noise", "Brain, simulated, 4 slices")
    choose_from_menu("Plugins", "MRI noise", "MRI noise")
    dock = dock_of(viewer, "MRI noise")
    assert dock.status.text.text() == "Ready: Run reconstructs slice 1 by MoDL and maps its noise."

    choose(dock, "reconstruction", "unrolled network")
    choose(dock, "coils", "from the file")
    dock.form.editors["variance"].value = Sketch(n_probes=N_PROBES)
    qtbot.waitUntil(lambda: "by unrolled network" in dock.status.text.text(), timeout=PATIENCE)

    seen = watch(dock)
    press(qtbot, dock.run_button)
    finish(qtbot, dock)
    assert seen[0] == 0
    assert seen[-1] == N_PROBES
    assert len(set(seen)) > 3
    layers = dock.shared.shelf.present()
    assert layers["std"].visible
    assert layers["reconstruction"].metadata[METADATA]["experiment"]["reconstruction"]["name"] == "unrolled"
    assert f"{N_PROBES} probes   seed 0" in viewer.canvas.overlays.text.text
    first = layers["std"].data.copy()

    read_a_region(qtbot, viewer, dock)
    compare_with_replicas(qtbot, viewer, dock)
    assert layers["std"].visible

    dock.form.editors["variance"].value = Sketch(n_probes=50_000)
    qtbot.waitUntil(lambda: dock.shared.session.status.kind == "stale", timeout=PATIENCE)
    press(qtbot, dock.run_button)
    qtbot.waitUntil(lambda: dock.shared.session.latest is not None, timeout=PATIENCE)
    press(qtbot, dock.cancel_button)
    finish(qtbot, dock)
    assert "was cancelled" in dock.status.text.text()
    assert not dock.cancel_button.isEnabled()

    dock.form.editors["variance"].value = Sketch(n_probes=N_PROBES)
    press(qtbot, dock.run_button)
    finish(qtbot, dock)
    dock.take_away.save_results(tmp_path / "saved.h5")
    dock.take_away.copy_command()
    command = QApplication.clipboard().text()
    dock.take_away.load_results(tmp_path / "saved.h5")
    assert np.array_equal(dock.shared.shelf["std"].data, first)
    assert dock.form.value.reconstruction == Shipped(name="unrolled")

    run_in_a_shell(command, tmp_path)
    (again,) = load_results(tmp_path / "result.h5")
    assert np.array_equal(again.estimate.variance_magnitude.sqrt().numpy().astype(np.float32), first[0])


def read_a_region(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    """Draw a rectangle with the mouse, and read what its row says of it; the core says the same."""
    choose_from_menu("Plugins", "MRI noise", "ROI noise")
    roi = dock_of(viewer, "ROI noise")
    press(qtbot, button_of(roi, "▭"))
    size = dock.shared.shelf["std"].scale[-1]
    mouse.drag(viewer, (50 * size, 40 * size), (70 * size, 60 * size))
    qtbot.waitUntil(
        lambda: "exact to first order" not in roi.status.text.text() and not roi.table.frame.empty, timeout=PATIENCE
    )
    row = roi.table.frame["ROI 1"]
    shown, opened = dock.shared.session.shown, dock.shared.session.opened
    assert shown is not None
    assert opened is not None
    at = linearised(shown, opened, StageCache())
    corners = roi.regions.shapes.data[0][:, 1:]
    region = Rectangle(corners=(tuple(corners.min(0)), tuple(corners.max(0))))((128, 128))
    expected = region_noise(at.operator, at.image, region)
    assert row["slice"] == shown.job.index
    assert row["voxels"] == expected.n_voxels > 300
    assert row["mean signal"] == pytest.approx(float(shown.result.image.abs()[region].mean()))
    assert row["std of mean"] == pytest.approx(expected.standard_deviation_magnitude, rel=1e-4)
    assert row["std of complex mean"] == pytest.approx(expected.standard_deviation, rel=1e-4)


def compare_with_replicas(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    """Run replicas beside the map, read the table, and go back to the layers of the run."""
    choose_from_menu("Plugins", "MRI noise", "Compare with Monte Carlo")
    compare = dock_of(viewer, "Compare with Monte Carlo")
    compare.n_replicas.setValue(N_REPLICAS)
    press(qtbot, button_of(compare, "Compare"))
    qtbot.waitUntil(lambda: compare.busy, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not compare.busy, timeout=PATIENCE)
    run = dock.shared.session.shown
    assert run is not None
    reference = dock.shared.session.replicas_of(run)
    assert reference is not None
    comparison = comparison_of(run.result, reference.result)
    found = compare.agreement.frame["found"]
    assert found["NRMSE [%]"] == pytest.approx(100 * comparison.nrmse)
    assert found["correlation"] == pytest.approx(comparison.pearson)
    assert found["slope"] == pytest.approx(comparison.slope)
    assert compare.costs.frame.loc["evaluations", reference.job.name] == N_REPLICAS
    assert compare.status.text.text() == unbroken(verdict(run, reference))
    press(qtbot, button_of(compare, "Leave grid"))
    assert not viewer.canvas.grid.enabled


def choose(dock: NoiseDock, name: str, title: str) -> None:
    """Choose an entry of a menu in the form."""
    menu = dock.form.editors[name].menu
    menu.setCurrentIndex(menu.findText(title))


def press(qtbot: QtBot, button: object) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def watch(dock: NoiseDock) -> list[int]:
    """The number of probes in the map on screen, each time that it changes; 0 while there is only the image."""
    seen: list[int] = []

    def look() -> None:
        shown = dock.shared.shelf.present()
        if "reconstruction" in shown:
            seen.append(shown["std"].metadata[METADATA]["n_samples"] if "std" in shown else 0)

    dock.shared.changed.connect(look)
    return seen


def run_in_a_shell(command: str, folder: Path) -> None:
    """Run a copied command with the threads of this process, which the last bits of a sum depend on."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(torch.get_num_threads()))
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert shlex.split(command)[0] == "mri-noise"
    subprocess.run(command, shell=True, cwd=folder, env=os.environ | threads | path, capture_output=True, check=True)
