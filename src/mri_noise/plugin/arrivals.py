"""New layers one at a time, so that the window lives between them."""

from collections.abc import Iterable

from qtpy.QtCore import QTimer

from mri_noise.plugin.layers import Shelf
from mri_noise.plugin.viewers import is_open
from mri_noise.result import Result
from mri_noise.session.layers import LayerSpec

_PAUSE = 10
"""[ms] between two layers: napari takes a tenth of a second to make the controls of one."""


class Arrivals:
    """Draws specifications on a shelf: layers that are there at once, new ones in turn and visible ones first."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._waiting: dict[str, tuple[LayerSpec, Result]] = {}
        self._scheduled = False

    @property
    def settled(self) -> bool:
        """Whether all layers are there."""
        return not self._waiting

    def show(self, specs: Iterable[LayerSpec], result: Result) -> None:
        """Refine what is on the shelf, and let the rest arrive."""
        for spec in specs:
            if spec.key in self._shelf:
                self._shelf.show([spec], result)
            else:
                self._waiting[spec.key] = (spec, result)
        if not self._scheduled:
            self._add_next()

    def stop(self) -> None:
        """Let nothing more arrive."""
        self._waiting = {}

    def _add_next(self) -> None:
        self._scheduled = False
        if not is_open(self._shelf.viewer):
            self.stop()
        if not self._waiting:
            return
        visible = (key for key, (spec, _) in self._waiting.items() if spec.look.visible)
        spec, result = self._waiting.pop(next(visible, next(iter(self._waiting))))
        self._shelf.show([spec], result)
        self._select_image()
        if self._waiting:
            self._scheduled = True
            QTimer.singleShot(_PAUSE, self._add_next)

    def _select_image(self) -> None:
        """Let the keys of the components act on the reconstruction, and not on the layer that came last."""
        image = self._shelf.present().get("reconstruction")
        if image is not None:
            self._shelf.viewer.layers.selection.active = image
