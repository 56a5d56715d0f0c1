"""The letters of captions and colour bars, drawn before they are needed."""

import string

from napari.components import ViewerModel
from qtpy.QtCore import QTimer

from mri_noise.plugin.viewers import is_open

_LETTERS = string.digits + string.ascii_letters + string.punctuation + "±"
_AT_ONCE = 2
_PAUSE = 40
"""[ms] between two steps: napari takes a hundredth of a second to draw a letter for the first time."""


class Letters:
    """Lets napari draw all letters, a few at a time and unseen; the caption of a first run would need them at once."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._left = _LETTERS
        self._on = False

    def draw_ahead(self) -> None:
        """Begin, or go on, unless there is a text on the canvas."""
        text = self._viewer.canvas.overlays.text
        if self._left and not self._on and not text.visible:
            self._on = True
            text.opacity, text.visible = 0.0, True
            self._step()

    def stop(self) -> None:
        """Leave the text of the canvas as it was."""
        if self._on:
            self._on = False
            text = self._viewer.canvas.overlays.text
            text.text, text.opacity, text.visible = "", 1.0, False

    def _step(self) -> None:
        if not self._on or not is_open(self._viewer):
            return
        now, self._left = self._left[:_AT_ONCE], self._left[_AT_ONCE:]
        if now:
            self._viewer.canvas.overlays.text.text = now
            QTimer.singleShot(_PAUSE, self._step)
        else:
            self.stop()
