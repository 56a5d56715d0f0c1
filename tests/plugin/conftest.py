"""A screen, and napari's preferences in a folder of their own."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from napari import Viewer

if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
    pytest.skip("windows need a screen; make test gives them one", allow_module_level=True)
pytest.importorskip("napari", reason="the plugin needs the extra napari")


@pytest.fixture(autouse=True)
def own_preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "napari.yaml"))
    yield


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[[], "Viewer"]) -> Iterator["Viewer"]:
    made = make_napari_viewer_proxy()
    yield made
    made.close()
