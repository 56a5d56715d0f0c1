"""A screen, and preferences that are not kept: those of whoever runs the tests stay as they are."""

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from napari import Viewer
    from napari.utils.notifications import Notification

    from mri_noise.plugin.worker import Pace

os.environ["NAPARI_CONFIG"] = ""  # before napari is imported, which reads it once
notifications = pytest.importorskip("napari.utils.notifications", reason="the plugin needs the extra napari")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what opens windows where there is no screen; pytest-xvfb gives each process one of its own."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="windows need a screen; install Xvfb"))


@pytest.fixture(autouse=True)
def _only_new_garbage() -> None:
    """Look for garbage among what the test makes: a window that opens, runs or closes has all objects looked through.

    What a window imports comes with the first one.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _letters_drawn_once() -> Iterator[None]:
    """Keep the letters that vispy draws: every text of every window draws its own, at 10 ms a letter."""
    from vispy.visuals.text.text import SDFRendererCPU  # noqa: PLC0415 - it comes with napari

    drawn: dict[tuple[bytes, tuple[int, ...], tuple[int, int]], np.ndarray] = {}
    draw = SDFRendererCPU.render_to_texture

    def draw_once(
        renderer: SDFRendererCPU, data: np.ndarray, texture: np.ndarray, offset: tuple[int, int], size: tuple[int, int]
    ) -> None:
        (left, top), (width, height), key = offset, size, (data.tobytes(), data.shape, size)
        if key not in drawn:
            drawn[key] = np.zeros((height, width, 3), np.uint8)
            draw(renderer, data, drawn[key], (0, 0), size)
        texture[top : top + height, left : left + width, :] = drawn[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SDFRendererCPU, "render_to_texture", draw_once)
        yield


@pytest.fixture
def viewer(request: pytest.FixtureRequest, make_napari_viewer_proxy: Callable[..., "Viewer"]) -> Iterator["Viewer"]:
    """A window, which is on screen for tests with the mark ``shown``: those that draw, or use the mouse."""
    made = make_napari_viewer_proxy(show=request.node.get_closest_marker("shown") is not None)
    yield made
    made.close()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs wait for the window before each step: none is dropped, however slowly it draws."""
    from mri_noise.plugin import worker  # noqa: PLC0415 - which needs napari

    paced = worker.paced

    def in_turn(steps: Iterable[object], pace: "Pace") -> Generator[object, None, bool]:
        return (yield from paced(_when_ready(steps, pace), pace))

    monkeypatch.setattr(worker, "paced", in_turn)
    monkeypatch.setattr(worker, "rest_after", lambda drawing: 0.0)


def _when_ready(steps: Iterable[object], pace: "Pace") -> Iterator[object]:
    for step in steps:
        while not pace.ready.wait(0.01) and not pace.stopped.is_set():
            pass
        yield step


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The notifications."""
    messages: list[str] = []

    def listen(notification: "Notification") -> None:
        messages.append(notification.message)

    ready = notifications.notification_manager.notification_ready
    ready.connect(listen)
    yield messages
    ready.disconnect(listen)
