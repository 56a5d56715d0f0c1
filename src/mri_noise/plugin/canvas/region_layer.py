"""The layer that regions are drawn in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from napari.components import ViewerModel
from napari.layers import Shapes
from napari.layers.base import ActionType
from numpy.typing import NDArray
from superqt.utils import qdebounced, qthrottled

from mri_noise.plugin.canvas.layers import place, placement
from mri_noise.session.layer_data import METADATA, Geometry
from mri_noise.session.regions.region_table import Drawn
from mri_noise.session.regions.regions import named_regions, roi_of

NAME = "regions"
_COLOUR = "#00e5ff"  # neither among the grays of images nor the colours of noise maps
_MARK = {"quantity": NAME}
_COMMITTED = (ActionType.ADDED, ActionType.CHANGED, ActionType.REMOVED)
_THROTTLE = 100  # [ms] between two read-outs while a shape is dragged


def region_layer_of(viewer: ViewerModel) -> Shapes | None:
    """The layer of regions of a window, if it has one."""
    layers = (layer for layer in viewer.layers if layer.metadata.get(METADATA) == _MARK)
    return next(layers, None)


def drawn_in(shapes: Shapes | None, where: Geometry) -> tuple[Drawn, ...]:
    """The regions of a layer in the voxels of an image, in the order in which they were drawn."""
    if shapes is None:
        return ()
    made = (
        _drawn(name, kind, voxels_of(shapes, vertices, where))
        for name, kind, vertices in zip(names_in(shapes), shapes.shape_type, shapes.data, strict=True)
    )
    return tuple(each for each in made if each is not None)


def names_in(shapes: Shapes) -> tuple[str, ...]:
    """A name for each shape of a layer.

    napari leaves the row of a polygon that was abandoned in the table of features, and whoever writes that table may
    leave the names out.
    """
    n_shapes, features = len(shapes.data), shapes.features
    given = list(features["region"])[:n_shapes] if "region" in features else []
    return named_regions([*given, *[None] * (n_shapes - len(given))])


def voxels_of(shapes: Shapes, vertices: Any, where: Geometry) -> NDArray[np.float64]:
    """Vertices of a layer in the voxels of an image, wherever the layer has been moved: shape (vertices, axes)."""
    world = np.array([shapes.data_to_world(vertex) for vertex in np.asarray(vertices, dtype=float)])
    return np.asarray((world - where.translate) / where.scale, dtype=float)


def _drawn(name: str, kind: str, corners: NDArray[np.float64]) -> Drawn | None:
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
        self._told: object = None  # what the listeners know
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

    def drawn(self, where: Geometry) -> tuple[Drawn, ...]:
        """All regions in the voxels of an image, with the slices that they lie on."""
        return drawn_in(self.shapes, where)

    def place(self, where: Geometry) -> None:
        """Lay the layer on the voxels of an image; its regions stay where they are seen."""
        shapes = self.shapes
        if shapes is None or _is_placed(shapes, where):
            return
        moved = [voxels_of(shapes, vertices, where) for vertices in shapes.data]
        with self._quietly():
            place(shapes, where)
            if moved:
                shapes.data = moved

    def selected(self) -> list[str]:
        """The names of the regions that are selected."""
        shapes = self.shapes
        if shapes is None:
            return []
        names = names_in(shapes)
        return [names[row] for row in sorted(shapes.selected_data) if row < len(names)]

    def write(self, table: pd.DataFrame) -> None:
        """Keep the rows of a table, whose index names regions, as the features of their shapes."""
        shapes = self.shapes
        if shapes is not None:
            rows = table[~table.index.duplicated()].reindex(list(names_in(shapes)))
            with self._quietly():
                shapes.features = rows.rename_axis("region").reset_index()

    def leave(self) -> None:
        """Stop listening."""
        self._drag.cancel()
        self._select.cancel()
        self._viewer.layers.events.removed.disconnect(self._changing)
        self._listen(None)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Change the layer without telling of it."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        self._told = self._state()

    def _listen(self, shapes: Shapes | None) -> None:
        """Listen to a layer, and no longer to the one before it."""
        if self._shapes is not None:
            self._shapes.events.set_data.disconnect(self._changing)
            self._shapes.events.data.disconnect(self._committed)
            self._shapes.events.features.disconnect(self._noticed)
            self._shapes.selected_data.events.items_changed.disconnect(self._selected)
        self._shapes = shapes
        if shapes is not None:
            shapes.events.set_data.connect(self._changing)
            shapes.events.data.connect(self._committed)
            shapes.events.features.connect(self._noticed)
            shapes.selected_data.events.items_changed.connect(self._selected)

    def _state(self) -> object:
        """What there is to tell of the shapes."""
        shapes = self._shapes
        if shapes is None:
            return None
        corners = tuple(np.asarray(vertices, dtype=float).tobytes() for vertices in shapes.data)
        written = tuple(map(str, shapes.features.get("region", ())))
        return written, names_in(shapes), tuple(shapes.shape_type), corners

    def _changing(self, *_event: object) -> None:
        if not self._writing:
            self._drag()

    def _selected(self, *_event: object) -> None:
        self._select()

    def _committed(self, event: Any) -> None:
        if event.action in _COMMITTED and not self._writing:
            self._tell()

    def _noticed(self, *_event: object) -> None:
        """Look what became of the shapes: pasted ones and new names come with no other event."""
        if not self._writing and self._state() != self._told:
            self._tell()

    def _tell(self) -> None:
        self._told = self._state()
        self._on_release()


def _is_placed(shapes: Shapes, where: Geometry) -> bool:
    """Whether a layer lies on the voxels of an image as a new one would."""
    fresh = Shapes(ndim=len(where.scale), **placement(where))
    corners = np.vstack([np.zeros(shapes.ndim), np.eye(shapes.ndim)])
    alike = all(np.allclose(shapes.data_to_world(each), fresh.data_to_world(each)) for each in corners)
    return alike and shapes.units == fresh.units and shapes.axis_labels == fresh.axis_labels


def _made(where: Geometry) -> Shapes:
    return Shapes(
        ndim=len(where.scale),
        name=NAME,
        **placement(where),
        features=pd.DataFrame({"region": pd.Series([], dtype=str)}),
        text={"string": "{region}", "size": 10, "color": _COLOUR, "anchor": "upper_left"},
        face_color=f"{_COLOUR}20",
        edge_color=_COLOUR,
        edge_width=0.6,
        opacity=1.0,
        metadata={METADATA: _MARK},
    )
