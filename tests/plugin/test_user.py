"""A user, from the first menu to the command that repeats the map."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from mri_noise import load_results
from mri_noise.plugin.noise_dock import NoiseDock
from mri_noise.recon.shipped import Shipped
from mri_noise.session.layers import METADATA
from mri_noise.variance.sketch import Sketch
from tests.plugin.users import PATIENCE, choose_from_menu, dock_of, finish

N_PROBES = 24


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Viewer]) -> Iterator[Viewer]:
    made = make_napari_viewer_proxy(show=True)
    yield made
    made.close()


def test_a_user_maps_the_noise_of_the_sample(qtbot: QtBot, viewer: Viewer, tmp_path: Path) -> None:
    choose_from_menu("File", "Open Sample", "MRI noise", "Brain, simulated, 4 slices")
    choose_from_menu("Plugins", "MRI noise", "MRI noise")
    dock = dock_of(viewer, "MRI noise")
    assert dock.status.text.text() == "Ready: Run reconstructs slice 1 by MoDL and maps its noise."

    choose(dock, "reconstruction", "unrolled network")
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
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert shlex.split(command)[0] == "mri-noise"
    subprocess.run(command, shell=True, cwd=folder, env=os.environ | threads | path, capture_output=True, check=True)
