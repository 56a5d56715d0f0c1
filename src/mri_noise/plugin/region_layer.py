"""The layer that regions are drawn in."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from napari.components import ViewerModel
from napari.layers import Shapes
from napari.layers.base import ActionType
from superqt.utils import qthrottled

from mri_noise.roi import Roi
from mri_noise.session.layers import Geometry
from mri_noise.session.regions import roi_of

NAME = "regions"
_COMMITTED = (ActionType.ADDED, ActionType.CHANGED, ActionType.REMOVED)
_THROTTLE = 100  # [ms] between two read-outs while a shape is dragged


class RegionLayer:
    """Shapes in the voxels of the image; tells of each step of a drag, at most ten times a second, and of its end.

    Parameters
    ----------
    on_drag, on_release
        Called without arguments.
    """

    def __init__(self, viewer: ViewerModel, on_drag: Callable[[], None], on_release: Callable[[], None]) -> None:
        self._viewer, self._on_release = viewer, on_release
        self._drag = qthrottled(lambda *_: on_drag(), timeout=_THROTTLE)
        self.shapes: Shapes | None = None
        self._naming = False

    def draw(self, mode: str, where: Geometry) -> None:
        """Make the layer current in a drawing mode; make it first, if there is none."""
        if self.shapes is None or self.shapes not in self._viewer.layers:
            self.shapes = self._made(where)
        self._viewer.layers.selection.active = self.shapes
        self.shapes.mode = mode

    def rois(self, index: int) -> tuple[Roi, ...]:
        """The regions of a slice, named in the order in which they were drawn."""
        if self.shapes is None or self.shapes not in self._viewer.layers:
            return ()
        found = (
            roi_of(str(kind), np.asarray(vertices)[:, -2:], f"ROI {number}")
            for number, (kind, vertices) in enumerate(zip(self.shapes.shape_type, self.shapes.data, strict=True), 1)
            if round(float(np.mean(np.asarray(vertices)[:, 0]))) == index
        )
        return tuple(roi for roi in found if roi is not None)

    def write(self, table: pd.DataFrame) -> None:
        """Keep the rows of a table, whose index names regions, as the features of their shapes."""
        if self.shapes is not None:
            names = [f"ROI {number}" for number in range(1, len(self.shapes.data) + 1)]
            self._naming = True
            self.shapes.features = table.reindex(names).rename_axis("region").reset_index()
            self._naming = False

    def _made(self, where: Geometry) -> Shapes:
        shapes = Shapes(
            ndim=len(where.scale),
            name=NAME,
            scale=where.scale,
            units=where.units,
            axis_labels=where.axis_labels,
            features=pd.DataFrame({"region": pd.Series([], dtype=str)}),
            text={"string": "{region}", "size": 10, "color": "yellow", "anchor": "upper_left"},
            face_color="#ffd70020",
            edge_color="#ffd700",
            edge_width=0.6,
        )
        shapes.events.set_data.connect(self._changing)
        shapes.events.data.connect(self._committed)
        return self._viewer.add_layer(shapes)

    def _changing(self, _event: object) -> None:
        if not self._naming:
            self._drag()

    def _committed(self, event: object) -> None:
        if getattr(event, "action", None) in _COMMITTED:
            self._on_release()
