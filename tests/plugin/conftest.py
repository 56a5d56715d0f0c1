"""A screen, and preferences that are not kept: those of whoever runs the tests stay as they are."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from napari import Viewer

if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
    pytest.skip("windows need a screen; make test gives them one", allow_module_level=True)
os.environ["NAPARI_CONFIG"] = ""  # before napari is imported, which reads it once
pytest.importorskip("napari", reason="the plugin needs the extra napari")


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[[], "Viewer"]) -> Iterator["Viewer"]:
    made = make_napari_viewer_proxy()
    yield made
    made.close()
