"""The voxel under the pointer, in the status bar: what napari says of it, and its noise."""

from typing import Any

import numpy as np

from mri_noise.plugin.window import Window
from mri_noise.session.regions.voxels import voxel_sentence


def voxel_at(shared: Window, position: tuple[float, ...]) -> tuple[int, int] | None:
    """The voxel (row, column) of the run that is shown at a place of the world; None outside its image and slice."""
    shown = shared.session.shown
    layer = shared.shelf.present().get("reconstruction")
    if shown is None or layer is None:
        return None
    slice_, row, column = (int(n) for n in np.round(layer.world_to_data(position)[-3:]))
    rows, columns = shown.result.image.shape
    return (row, column) if slice_ == 0 and 0 <= row < rows and 0 <= column < columns else None


class VoxelStatus:
    """Adds value, noise std, SNR and confidence of the voxel to each status that napari shows."""

    def __init__(self, shared: Window) -> None:
        self._shared = shared
        self._said: str | dict[str, str] = ""
        shared.viewer.events.status.connect(self._add, position="last")

    def leave(self) -> None:
        """Leave the status to napari."""
        self._shared.viewer.events.status.disconnect(self._add)

    def _add(self, event: Any) -> None:
        sentence = self._sentence()
        if not sentence or event.value == self._said:
            return
        self._said = _joined(event.value, sentence)
        self._shared.viewer.status = self._said

    def _sentence(self) -> str:
        viewer, shown = self._shared.viewer, self._shared.session.shown
        if not viewer.mouse_over_canvas or shown is None or shown.result.estimate is None:
            return ""
        voxel = voxel_at(self._shared, viewer.cursor.position)
        return "" if voxel is None else voxel_sentence(shown.result, voxel)


def _joined(status: str | dict[str, str], sentence: str) -> str | dict[str, str]:
    """A status of napari, which is a text or has its text under ``coordinates``, and a sentence."""
    if isinstance(status, str):
        return f"{status}    {sentence}"
    return {**status, "coordinates": f"{status['coordinates']}    {sentence}"}
