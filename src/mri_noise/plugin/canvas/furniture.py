"""The one place that draws text, names and colour bars on the canvas."""

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Surface

from mri_noise.plugin.canvas.layers import source_of
from mri_noise.session.furniture import Furniture, Seen, furniture
from mri_noise.session.state import Session

_BARE = (False, False)
_OF_LAYER = ("visible", "opacity", "colormap", "metadata", "extent", "data")
"""What is listened to of a layer; not each has all."""


class CanvasFurniture:
    """Keeps the furniture of a canvas true: it listens to all that it depends on, and changes what is no longer so.

    What somebody else has written on the canvas comes back where there is nothing to say.

    Parameters
    ----------
    session
        Tells the present session.
    make_way
        Called before a text is written.
    """

    def __init__(
        self, viewer: ViewerModel, session: Callable[[], Session], make_way: Callable[[], None] = lambda: None
    ) -> None:
        self._viewer, self._session, self._make_way = viewer, session, make_way
        self._drawn: dict[Layer, tuple[bool, bool]] = {}  # whether name and bar are drawn
        self._written = ""
        self._before = ("", False)  # the text of somebody else, and whether it was visible
        self._events = [
            *(getattr(viewer.layers.events, name) for name in ("inserted", "removed", "reordered")),
            *(getattr(viewer.dims.events, name) for name in ("point", "ndisplay", "order")),
            *(getattr(viewer.canvas.grid.events, name) for name in ("enabled", "shape", "stride")),
        ]
        for event in self._events:
            event.connect(self.draw)
        viewer.layers.events.inserted.connect(self._listen)
        for layer in viewer.layers:
            self._listen_to(layer)
        self.draw()

    def leave(self) -> None:
        """Stop listening to the window."""
        for event in self._events:
            event.disconnect(self.draw)
        self._viewer.layers.events.inserted.disconnect(self._listen)
        for layer in self._viewer.layers:
            for name in _OF_LAYER:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).disconnect(self.draw)

    def draw(self, _event: object = None) -> None:
        """Draw what belongs to what is seen."""
        layers = list(self._viewer.layers)
        wanted = furniture(self._seen(layers), self._session(), in_grid=bool(self._viewer.canvas.grid.enabled))
        self._drawn = {layer: drawn for layer, drawn in self._drawn.items() if layer in layers}
        for number, layer in enumerate(layers):
            if isinstance(layer, Image) and source_of(layer) is not None:
                self._dress(layer, number in wanted.names, number in wanted.bars)
        self._write(wanted)

    def _dress(self, layer: Image, name: bool, bar: bool) -> None:
        """Draw or hide name and bar, unless that was decided before: then it is left to the user."""
        before = self._drawn.get(layer, _BARE)
        self._drawn[layer] = (name, bar)
        if bar != before[1]:
            layer.colorbar.visible = bar
        if name != before[0]:
            layer.name_overlay.visible = name

    def _write(self, wanted: Furniture) -> None:
        if wanted.text == self._written:
            return
        if wanted.text:
            self._make_way()
        text = self._viewer.canvas.overlays.text
        if text.text != self._written:
            self._before = (text.text, text.visible)
        text.text, text.visible = (wanted.text, True) if wanted.text else self._before
        self._written = wanted.text

    def _seen(self, layers: list[Layer]) -> list[Seen]:
        """The layers that can hide others: annotations are seen through."""
        return [
            self._look_at(number, layer, layers)
            for number, layer in enumerate(layers)
            if isinstance(layer, Image | Labels | Surface)
        ]

    def _look_at(self, number: int, layer: Layer, layers: list[Layer]) -> Seen:
        source = source_of(layer)
        cell = self._viewer.canvas.grid.position(number, layers)
        at = np.round(layer.world_to_data(self._viewer.dims.point)).astype(int)
        here = layer.visible and layer.opacity > 0 and self._has_data(layer, at)
        if source is None or not isinstance(layer, Image):
            return Seen(number, cell, here)
        return Seen(number, cell, here, layer.colormap.name != "gray", max(int(at[0]), 0), source.spec, source.origin)

    def _has_data(self, layer: Layer, at: Any) -> bool:
        """Whether a layer has data where the sliders are."""
        hidden = self._viewer.dims.not_displayed
        before = self._viewer.dims.ndim - layer.ndim
        axes = [axis - before for axis in hidden if axis >= before]
        n = np.shape(layer.data) if isinstance(layer, Image | Labels) else None
        return n is None or all(0 <= at[axis] < n[axis] for axis in axes)

    def _listen(self, event: Any) -> None:
        self._listen_to(event.value)

    def _listen_to(self, layer: Layer) -> None:
        for name in _OF_LAYER:
            if hasattr(layer.events, name):
                getattr(layer.events, name).connect(self.draw)
