"""The image and its maps beside each other, in napari's grid."""

from collections.abc import Sequence

from napari.components import ViewerModel
from napari.layers import Image, Layer
from qtpy.QtWidgets import QPushButton

from mri_noise.plugin.canvas.layers import Shelf

KEYS = ("reconstruction", "std", "snr", "g")
"""What is laid out, row by row."""

SPACING = 4  # [pixel]


class Tiles(QPushButton):
    """A switch: the reconstruction, its noise, its SNR and its g-factor in the cells of napari's grid."""

    def __init__(self, viewer: ViewerModel, shelf: Shelf) -> None:
        super().__init__("side by side")
        self.setCheckable(True)
        self.setToolTip("Lay out the image, its noise std, SNR and g-factor beside each other; again: on top")
        self._viewer, self._shelf = viewer, shelf
        self._before: list[Layer] = []  # what was visible before
        self.toggled.connect(self._arrange)
        viewer.canvas.grid.events.enabled.connect(self._follow)

    def leave(self) -> None:
        """Stop listening to the window."""
        self._viewer.canvas.grid.events.enabled.disconnect(self._follow)

    def _arrange(self, on: bool) -> None:
        laid_out = [layer for key, layer in self._shelf.present().items() if key in KEYS]
        if on and laid_out:
            self._lay_out(laid_out)
        self._viewer.canvas.grid.enabled = on and bool(laid_out)
        self._viewer.reset_view()
        self._follow()

    def _lay_out(self, layers: list[Image]) -> None:
        self._before = [layer for layer in self._viewer.layers if layer.visible]
        _set_visible(self._before, False)
        _set_visible(layers, True)
        grid = self._viewer.canvas.grid
        grid.shape, grid.stride, grid.spacing = (-1, -1), 1, SPACING

    def _take_back(self) -> None:
        """Show what was visible before, and no other map of the run."""
        before, self._before = self._before, []
        if before:
            _set_visible(list(self._shelf.present().values()), False)
            _set_visible([layer for layer in before if layer in self._viewer.layers], True)

    def _follow(self, _event: object = None) -> None:
        """Show what napari's own grid button, or another dock, did."""
        on = bool(self._viewer.canvas.grid.enabled)
        if not on:
            self._take_back()
        self.blockSignals(True)
        self.setChecked(on)
        self.blockSignals(False)


def _set_visible(layers: Sequence[Layer], visible: bool) -> None:
    for layer in layers:
        layer.visible = visible
