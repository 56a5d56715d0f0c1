"""The layer that regions are drawn in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from napari.components import ViewerModel
from napari.layers import Shapes
from napari.layers.base import ActionType
from superqt.utils import qdebounced, qthrottled

from mri_noise.session.layers import METADATA, Geometry
from mri_noise.session.region_table import Drawn
from mri_noise.session.regions import named_regions, roi_of

NAME = "regions"
_COLOUR = "#00e5ff"  # neither among the grays of images nor the colours of noise maps
_MARK = {"quantity": NAME}
_COMMITTED = (ActionType.ADDED, ActionType.CHANGED, ActionType.REMOVED)
_THROTTLE = 100  # [ms] between two read-outs while a shape is dragged


def region_layer_of(viewer: ViewerModel) -> Shapes | None:
    """The layer of regions of a window, if it has one."""
    layers = (layer for layer in viewer.layers if layer.metadata.get(METADATA) == _MARK)
    return next(layers, None)


def drawn_in(shapes: Shapes | None) -> tuple[Drawn, ...]:
    """The regions of a layer, in the order in which they were drawn."""
    if shapes is None:
        return ()
    names = named_regions(list(shapes.features["region"]))
    made = (_drawn(*each) for each in zip(names, shapes.shape_type, shapes.data, strict=True))
    return tuple(each for each in made if each is not None)


def _drawn(name: str, kind: str, vertices: Any) -> Drawn | None:
    corners = np.asarray(vertices, dtype=float)
    roi = roi_of(kind, corners[:, -2:], name)
    return None if roi is None else Drawn(round(float(corners[:, 0].mean())), roi)


class RegionLayer:
    """Shapes in the voxels of the image.

    Parameters
    ----------
    on_drag
        Called at each step of a drag, at most ten times a second.
    on_select
        Called when other shapes are selected.
    on_release
        Called when a shape was drawn, changed or deleted.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        on_drag: Callable[[], None],
        on_select: Callable[[], None],
        on_release: Callable[[], None],
    ) -> None:
        self._viewer, self._select, self._on_release = viewer, qdebounced(on_select, timeout=_THROTTLE), on_release
        self._drag = qthrottled(on_drag, timeout=_THROTTLE)
        self._writing = False
        self._shapes: Shapes | None = None
        viewer.layers.events.removed.connect(self._changing)

    @property
    def shapes(self) -> Shapes | None:
        """The layer; none if nothing was drawn yet, or the user has deleted it."""
        found = region_layer_of(self._viewer)
        if found is not None and found is not self._shapes:
            self._listen(found)
        return found

    def draw(self, mode: str, where: Geometry) -> None:
        """Make the layer current in a drawing mode; make it first, if there is none."""
        shapes = self.shapes
        if shapes is None:
            self._viewer.add_layer(_made(where))
            shapes = self.shapes
        if shapes is not None:
            shapes.visible = True
            self._viewer.layers.selection.active = shapes
            shapes.mode = mode

    def raise_to_top(self) -> None:
        """Keep the regions in front of layers that came after them."""
        shapes = self.shapes
        if shapes is not None:
            shapes.visible = True
            self._viewer.layers.move(self._viewer.layers.index(shapes), len(self._viewer.layers))

    def delete(self) -> None:
        """Delete the selected regions."""
        if self.shapes is not None:
            self.shapes.remove_selected()

    def drawn(self) -> tuple[Drawn, ...]:
        """All regions, with the slices that they were drawn on."""
        return drawn_in(self.shapes)

    def selected(self) -> list[str]:
        """The names of the regions that are selected."""
        shapes = self.shapes
        if shapes is None:
            return []
        names = named_regions(list(shapes.features["region"]))
        return [names[row] for row in sorted(shapes.selected_data) if row < len(names)]

    def write(self, table: pd.DataFrame) -> None:
        """Keep the rows of a table, whose index names regions, as the features of their shapes."""
        shapes = self.shapes
        if shapes is not None:
            names = list(named_regions(list(shapes.features["region"])))
            self._writing = True
            shapes.features = table.reindex(names).rename_axis("region").reset_index()
            self._writing = False

    def leave(self) -> None:
        """Stop listening."""
        self._drag.cancel()
        self._select.cancel()
        self._viewer.layers.events.removed.disconnect(self._changing)
        if self._shapes is not None:
            self._shapes.events.set_data.disconnect(self._changing)
            self._shapes.events.data.disconnect(self._committed)
            self._shapes.selected_data.events.items_changed.disconnect(self._selected)

    def _listen(self, shapes: Shapes) -> None:
        self._shapes = shapes
        shapes.events.set_data.connect(self._changing)
        shapes.events.data.connect(self._committed)
        shapes.selected_data.events.items_changed.connect(self._selected)

    def _changing(self, *_event: object) -> None:
        if not self._writing:
            self._drag()

    def _selected(self, *_event: object) -> None:
        self._select()

    def _committed(self, event: Any) -> None:
        if event.action in _COMMITTED:
            self._on_release()


def _made(where: Geometry) -> Shapes:
    return Shapes(
        ndim=len(where.scale),
        name=NAME,
        scale=where.scale,
        units=where.units,
        axis_labels=where.axis_labels,
        features=pd.DataFrame({"region": pd.Series([], dtype=str)}),
        text={"string": "{region}", "size": 10, "color": _COLOUR, "anchor": "upper_left"},
        face_color=f"{_COLOUR}20",
        edge_color=_COLOUR,
        edge_width=0.6,
        opacity=1.0,
        metadata={METADATA: _MARK},
    )
