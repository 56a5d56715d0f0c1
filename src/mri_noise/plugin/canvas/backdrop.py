"""What is hidden while something else is on stage, and comes back after it."""

from napari.components import ViewerModel
from napari.layers import Layer


class Backdrop:
    """The layers of a window that a grid or a stack of maps hides."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._hidden: list[Layer] = []

    def hide(self) -> None:
        """Hide the layers that are visible."""
        self._hidden = [layer for layer in self._viewer.layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False

    def restore(self) -> None:
        """Show what was hidden, as far as it is still there."""
        for layer in self._hidden:
            if layer in self._viewer.layers:
                layer.visible = True
        self._hidden = []
