"""The whole image stays in the canvas when docks take some of its place."""

import numpy as np
from napari.components import ViewerModel
from napari.utils.events import Event

View = tuple[tuple[float, ...], float]
"""Centre and zoom of a camera."""

_SLIDERS = 0.2  # share of the canvas that sliders may have taken since napari fitted the image


class WholeView:
    """Fits the image again whenever the canvas changes its size, until the user zooms or pans.

    napari keeps the zoom then, and cuts the image; Home, or whatever else resets the view, makes it whole again.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._whole: View | None = None
        viewer.events.reset_view.connect(self._remember)
        self._look()
        viewer.canvas.events.size.connect(self._fit)

    def leave(self) -> None:
        """Let the window be."""
        self._viewer.events.reset_view.disconnect(self._remember)
        self._viewer.canvas.events.size.disconnect(self._fit)

    def _look(self) -> None:
        """Make the image whole, unless the user has chosen a view: a wheel moves the centre, or zooms much."""
        camera = self._viewer.scene.camera
        center, zoom = self._view()
        self._viewer.reset_view()
        if not np.allclose(camera.center, center) or not np.isclose(camera.zoom, zoom, rtol=_SLIDERS):
            camera.center, camera.zoom = center, zoom

    def _remember(self, event: Event) -> None:
        self._whole = event.center, event.zoom

    def _fit(self, _event: Event) -> None:
        if self._view() == self._whole:
            self._viewer.reset_view()

    def _view(self) -> View:
        return self._viewer.scene.camera.center, self._viewer.scene.camera.zoom
