"""Click a voxel: its noise correlation with every other appears as a layer."""

from collections.abc import Generator
from typing import Any

import numpy as np
from qtpy.QtWidgets import QCheckBox

from mri_noise.plugin.layers import Shelf
from mri_noise.plugin.window import Window
from mri_noise.plugin.worker import Handlers, Runner
from mri_noise.report import estimate_of
from mri_noise.result import Result
from mri_noise.session.layers import correlation_layer
from mri_noise.session.readouts import VoxelReadout, read_voxel


class Correlation(QCheckBox):
    """A switch; while it is on, a click on the image asks for the correlation of that voxel."""

    def __init__(self, shared: Window) -> None:
        super().__init__("click shows noise correlation")
        self.setToolTip("Click a voxel: how its noise goes with that of every other; aliasing shows as a second spot")
        self._shared, self._runner, self._shelf = shared, Runner(), Shelf(shared.viewer)
        self.toggled.connect(self._listen)

    def ask(self, voxel: tuple[int, int]) -> None:
        """Compute and show the correlation of a voxel (row, column) of the run that is shown."""
        session = self._shared.session
        run, opened, cache = session.shown, session.opened, self._shared.cache
        if run is None or not run.result.complete or opened is None:
            self._shared.viewer.status = "The correlation of a voxel needs a finished run of the open scan."
            return
        self._shared.viewer.status = voxel_sentence(run.result, voxel)
        handlers = Handlers(self._show, _nothing, _nothing, self._complain)
        self._runner.start(lambda: read_voxel(run, opened, voxel, cache), handlers)

    def _show(self, readout: VoxelReadout) -> None:
        self._shelf.renew()
        run = readout.run
        self._shelf.show([correlation_layer(run.result, run.job.name, readout.voxel, readout.correlation)], run.result)

    def _complain(self, sentence: str) -> None:
        self._shared.viewer.status = sentence

    def _listen(self, on: bool) -> None:
        callbacks = self._shared.viewer.mouse_drag_callbacks
        if on:
            callbacks.append(self._clicked)
        elif self._clicked in callbacks:
            callbacks.remove(self._clicked)

    def _clicked(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """A press and a release without a drag between them."""
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        voxel = self._voxel(event.position)
        if not dragged and voxel is not None:
            self.ask(voxel)

    def _voxel(self, position: tuple[float, ...]) -> tuple[int, int] | None:
        """The voxel (row, column) at a place of the window; None outside the image."""
        shown = self._shared.session.shown
        layer = self._shared.shelf.present().get("reconstruction")
        if shown is None or layer is None:
            return None
        row, column = (int(n) for n in np.round(layer.world_to_data(position)[-2:]))
        rows, columns = shown.result.image.shape
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None


def voxel_sentence(result: Result, voxel: tuple[int, int]) -> str:
    """Value, noise, SNR and confidence of a voxel."""
    estimate = estimate_of(result)
    value, variance = float(result.image[voxel].abs()), float(estimate.variance_magnitude[voxel])
    if variance <= 0:
        return f"voxel {voxel[0]}, {voxel[1]}: {value:.4g}, without noise"
    share = 100 * float(estimate.standard_error_magnitude[voxel]) / (2 * variance)
    std = variance**0.5
    known = f"noise std {std:.3g} (known to {share:.0f} %), SNR {value / std:.3g}"
    return f"voxel {voxel[0]}, {voxel[1]}: {value:.4g}, {known}"


def _nothing() -> None:
    """Do nothing: the layer says all."""
