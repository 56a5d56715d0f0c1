"""New layers one at a time, so that the window lives between them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from qtpy.QtCore import QTimer

from mri_noise.plugin.canvas.layers import Shelf, appear
from mri_noise.plugin.viewers import is_open
from mri_noise.result import Result
from mri_noise.session.layer_data import LayerSpec

_PAUSE = 10
"""[ms] before a step, since the last one or since layers were refined: napari takes a tenth of a second for each."""
_DONE = object()


class Arrivals:
    """Draws specifications on a shelf: layers that are there at once, new ones in turn and visible ones first.

    A new layer that is to be seen comes hidden, and is shown, and labelled, in steps of their own.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._waiting: dict[str, tuple[LayerSpec, Result]] = {}
        self._unseen: str | None = None
        self._appearing: Iterator[None] = iter(())
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._step)

    @property
    def settled(self) -> bool:
        """Whether all layers are there."""
        return not self._waiting and self._unseen is None

    def show(self, specs: Iterable[LayerSpec], result: Result) -> None:
        """Refine what is on the shelf, and let the rest arrive."""
        for spec in specs:
            if spec.key in self._shelf:
                self._shelf.show([spec], result)
            else:
                self._waiting[spec.key] = (spec, result)
        self._schedule()

    def stop(self) -> None:
        """Let nothing more arrive."""
        self._waiting, self._unseen = {}, None

    def _schedule(self) -> None:
        if not self.settled:
            self._timer.start()

    def _step(self) -> None:
        if not is_open(self._shelf.viewer):
            self.stop()
        if self._unseen is not None:
            self._go_on_appearing(self._unseen)
        elif self._waiting:
            self._add_next()
        self._schedule()

    def _go_on_appearing(self, key: str) -> None:
        if key not in self._shelf.present() or next(self._appearing, _DONE) is _DONE:
            self._unseen = None

    def _add_next(self) -> None:
        visible = (key for key, (spec, _) in self._waiting.items() if spec.look.visible)
        spec, result = self._waiting.pop(next(visible, next(iter(self._waiting))))
        self._shelf.show([replace(spec, look=replace(spec.look, visible=False))], result)
        if spec.look.visible:
            self._unseen, self._appearing = spec.key, appear(self._shelf[spec.key])
        self._select_image()

    def _select_image(self) -> None:
        """Let the keys of the components act on the reconstruction, and not on the layer that came last."""
        image = self._shelf.present().get("reconstruction")
        if image is not None:
            self._shelf.viewer.layers.selection.active = image
