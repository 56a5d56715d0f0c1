import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot

from mri_noise.plugin.docks.noise_dock import NoiseDock
from tests.plugin.users import PATIENCE, open_dock, open_sample, run


@pytest.fixture
def noise(viewer: Viewer) -> NoiseDock:
    return open_dock(viewer, "MRI noise")


def test_it_says_what_is_missing(noise: NoiseDock) -> None:
    noise.show_panel.film.draw()
    assert "needs a run" in noise.show_panel.film.said.text()


def test_the_noise_is_drawn_amplified_and_played(qtbot: QtBot, viewer: Viewer, noise: NoiseDock) -> None:
    open_sample(viewer, noise)
    run(qtbot, noise)
    film = noise.show_panel.film
    film.n_frames.setValue(6)
    film.draw()
    qtbot.waitUntil(film.play.isChecked, timeout=PATIENCE)
    (layer,) = (layer for layer in viewer.layers if layer.ndim == 4)
    assert layer.data.shape == (6, 1, 128, 128)
    seen = set()
    viewer.dims.events.current_step.connect(lambda _event: seen.add(viewer.dims.current_step[0]))
    qtbot.waitUntil(lambda: seen == set(range(6)), timeout=PATIENCE)
    image = np.abs(noise.shared.session.shown.result.image.numpy())
    before = np.std(layer.data[:, 0] - image)
    film.amplification.setValue(3)
    assert np.std(layer.data[:, 0] - image) > 2 * before
    film.play.setChecked(False)
    viewer.layers.remove(layer)
    film.play.setChecked(True)
    qtbot.waitUntil(lambda: not film.play.isChecked(), timeout=PATIENCE)
