"""Everything that the core refuses, met in a window: a sentence with a remedy, and the former maps as they were."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari import Viewer
from pytestqt.qtbot import QtBot

from mri_noise.acquisition.coils import Espirit, LowResolution, MapsFromFile
from mri_noise.acquisition.masks import Equispaced, PoissonDisc, RandomLines
from mri_noise.acquisition.noise_sources import NoiseFromCorners, NoiseFromEdge, NoiseFromFile, NoiseFromPrescan
from mri_noise.experiment import Experiment
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.roi import Rectangle
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.sketch import Sketch
from tests.cli.test_app import BAD_SCANS
from tests.plugin.users import PATIENCE, finish, open_dock, run
from tests.scan_files import kspace, write

pytestmark = pytest.mark.shown

CHEAP = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=12), coils=LowResolution(), variance=Sketch(n_probes=4)
)


@pytest.fixture
def dock(qtbot: QtBot, viewer: Viewer, tmp_path: Path) -> NoiseDock:
    """A window with the maps of a small scan."""
    opened: NoiseDock = open_dock(viewer, "MRI noise")
    opened.form.value = CHEAP  # which is then computed ahead, and nothing else
    viewer.open(write(tmp_path / "good.h5", kspace()), plugin="napari-mri-noise")
    run(qtbot, opened, CHEAP)
    assert opened.shared.session.status.kind == "done"
    return opened


def require_one_sentence(sentence: str, word: str) -> None:
    assert word in sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert "unexpected error" not in sentence
    assert any(mark in sentence for mark in (";", ",", ":")), "a remedy or a reason follows what is wrong"


def require_peace(dock: NoiseDock, former: np.ndarray) -> None:
    """The former maps are there, and nothing computes or waits."""
    assert np.array_equal(dock.shared.shelf["std"].data, former, equal_nan=True)
    assert not dock.shared.busy
    assert dock.shared.session.job is None
    assert dock.bar.share == 0
    assert not dock.cancel_button.isEnabled()


def test_a_bad_scan_is_a_sentence(  # noqa: PLR0917
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path, said: list[str], subtests: pytest.Subtests
) -> None:
    former = dock.shared.shelf["std"].data.copy()
    for case, (make, word) in BAD_SCANS.items():
        if case == "absent":  # napari itself refuses
            continue
        with subtests.test(case):
            said.clear()
            n_layers = len(viewer.layers)
            viewer.open(make(tmp_path), plugin="napari-mri-noise")
            if len(viewer.layers) > n_layers and not said:  # it opens, and is found bad when it is run
                dock.scan._menu.setCurrentText("bad.h5")
                dock.run()
                finish(qtbot, dock)
                assert dock.shared.session.status.kind == "failed"
            require_one_sentence(said[0] if said else dock.status.text.text(), word)
            require_peace(dock, former)
        for layer in viewer.layers[n_layers:]:
            viewer.layers.remove(layer)
        (tmp_path / "bad.h5").unlink()


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def text(path: Path) -> Path:
    path.write_text("no weights")
    return path


def weights(path: Path, content: object) -> Checkpoint:
    torch.save(content, path)
    return Checkpoint(path=path)


class Malicious:
    """Weights that would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


BAD_CHOICES: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "calibration": (lambda _: {"undersampling": Equispaced(n_calibration=40)}, "40 calibration lines do not fit"),
    "acceleration": (lambda _: {"undersampling": RandomLines(acceleration=9, n_calibration=12)}, "lower n_calibration"),
    "Poisson disc": (lambda _: {"undersampling": PoissonDisc(acceleration=60, n_calibration=20)}, "lower n_cal"),
    "no maps in the file": (lambda _: {"coils": MapsFromFile()}, "holds no coil maps"),
    "calibration of coils": (lambda _: {"coils": Espirit(n_calibration=30)}, "oil calibration needs 30"),
    "no prescan": (lambda _: {"noise": NoiseFromPrescan()}, "no noise prescan"),
    "few corners": (lambda _: {"noise": NoiseFromCorners(fraction=0.01)}, "noise samples"),
    "few edges": (lambda _: {"noise": NoiseFromEdge(fraction=0.001)}, "noise samples"),
    "no noise file": (lambda folder: {"noise": NoiseFromFile(path=folder / "no.npy")}, "no.npy"),
    "noise of two coils": (lambda folder: {"noise": NoiseFromFile(path=saved(folder / "a.npy", np.eye(2)))}, "(3, 3)"),
    "noise not positive": (
        lambda folder: {"noise": NoiseFromFile(path=saved(folder / "a.npy", np.ones((3, 3))))}, "positive definite",
    ),
    "no weights": (lambda folder: {"reconstruction": Checkpoint(path=folder / "no.pt")}, "no.pt"),
    "no safetensors": (
        lambda folder: {"reconstruction": Checkpoint(path=text(folder / "text.safetensors"))}, "text.safetensors",
    ),
    "weights of nothing": (lambda folder: {"reconstruction": weights(folder / "a.pt", {})}, "a.pt"),
    "weights of another layout": (
        lambda folder: {"reconstruction": weights(folder / "a.pt", {"stem.weight": torch.ones(3, 3)})}, "stem.weight",
    ),
    "weights with code": (
        lambda folder: {"reconstruction": weights(folder / "a.pt", {"state_dict": Malicious(folder / "ran")})}, "a.pt",
    ),
    "small image": (lambda _: {"reconstruction": UNetSettings(n_channels=4, n_pools=6)}, "fewer poolings"),
    "exact": (lambda _: {"variance": Exact(max_voxels=10)}, "max_voxels"),
    "region": (lambda _: {"rois": (Rectangle(corners=((90, 90), (99, 99))),)}, "region"),
    "cuda": (lambda _: {"device": "cuda"}, "device"),
}  # fmt: skip


def test_a_choice_that_the_core_refuses_is_a_sentence(
    qtbot: QtBot, dock: NoiseDock, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    former = dock.shared.shelf["std"].data.copy()
    for case, (make, word) in BAD_CHOICES.items():
        if case == "cuda" and torch.cuda.is_available():
            continue
        with subtests.test(case):
            run(qtbot, dock, CHEAP.model_copy(update=make(tmp_path)))
            assert dock.shared.session.status.kind == "failed"
            require_one_sentence(dock.status.text.text(), word)
            require_peace(dock, former)
    assert not (tmp_path / "ran").exists()


def test_an_entry_that_does_not_fit_is_a_sentence_and_blocks_the_run(qtbot: QtBot, dock: NoiseDock) -> None:
    former = dock.shared.shelf["std"].data.copy()
    mask = dock.form.editors["undersampling"]
    entry = mask._form(mask.kind).editors["acceleration"]._widget
    for text, word in (("0.5", "greater than or equal to 1"), ("many", "valid number")):
        entry.value = text
        qtbot.waitUntil(lambda word=word: word in dock.status.text.text(), timeout=PATIENCE)
        require_one_sentence(dock.status.text.text(), word)
        assert not dock.run_button.isEnabled()
        dock.run()
        require_peace(dock, former)


BAD_EXPERIMENTS = {
    b"undersampling: {kind: equispaced, accelerate: 4}": "unknown",
    b"[": "a.yaml",
    b"\xff\xfe": "a.yaml",
}


def test_a_file_that_cannot_be_loaded_is_a_sentence(dock: NoiseDock, tmp_path: Path) -> None:
    former, experiment = dock.shared.shelf["std"].data.copy(), dock.form.value
    for content, word in BAD_EXPERIMENTS.items():
        (tmp_path / "a.yaml").write_bytes(content)
        with pytest.raises(ValueError, match=word) as caught:
            dock.take_away.load_experiment(tmp_path / "a.yaml")
        require_one_sentence(str(caught.value), word)
    for name, content, word in (("a.h5", b"", "a.h5"), ("b.h5", b"no result", "b.h5"), ("good.h5", None, "result")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=word) as caught:
            dock.take_away.load_results(tmp_path / name)
        require_one_sentence(str(caught.value), word)
    assert dock.form.value == experiment
    require_peace(dock, former)
