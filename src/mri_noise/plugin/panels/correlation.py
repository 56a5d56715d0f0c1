"""Click a voxel: its noise correlation with every other appears as a layer."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from qtpy.QtWidgets import QCheckBox

from mri_noise.plugin.canvas.layers import Shelf
from mri_noise.plugin.panels.voxel_status import VoxelStatus, voxel_at
from mri_noise.plugin.window import Window
from mri_noise.plugin.worker import Handlers, Runner
from mri_noise.session.layer_data import Look, correlation_layer
from mri_noise.session.regions.readouts import VoxelReadout, read_voxel

_LOOK = Look("berlin", (-0.5, 0.5))
"""Dark where there is no correlation, so that the image shows; aliasing is weaker than the voxel's with itself."""


class Correlation(QCheckBox):
    """A switch; while it is on, a click on the image asks for the correlation of that voxel."""

    def __init__(self, shared: Window) -> None:
        super().__init__("click shows noise correlation")
        self.setToolTip("Click a voxel: how its noise goes with that of every other; aliasing shows as a second spot")
        self._shared, self._runner, self._shelf = shared, Runner(), Shelf(shared.viewer)
        self.toggled.connect(self._listen)
        status, runner, clicked, callbacks = VoxelStatus(shared), self._runner, self._clicked, self._callbacks

        def leave(*_: object) -> None:
            runner.leave()
            status.leave()
            if clicked in callbacks:
                callbacks.remove(clicked)

        self.destroyed.connect(leave)

    @property
    def busy(self) -> bool:
        """Whether a correlation is on its way."""
        return self._runner.busy

    def ask(self, voxel: tuple[int, int]) -> None:
        """Compute and show the correlation of a voxel (row, column) of the run that is shown."""
        session = self._shared.session
        run, opened, cache = session.shown, session.opened, self._shared.cache
        if run is None or not run.final or opened is None:
            self._say("The correlation of a voxel needs a finished run of the open scan.")
            return
        handlers = Handlers(self._show, _nothing, _nothing, self._say)
        self._runner.start(lambda: read_voxel(run, opened, voxel, cache), handlers)

    def _show(self, readout: VoxelReadout) -> None:
        self._shelf.renew()
        run, first = readout.run, not self._shelf.present()
        spec = correlation_layer(run.result, run.job.name, readout.voxel, readout.correlation)
        self._shelf.show([replace(spec, look=_LOOK)], run.result)
        self._shelf["correlation"].blending = "additive"
        if first:
            self._lay_on_image()

    def _lay_on_image(self) -> None:
        """Hide the maps that are visible, and show the image below the correlation."""
        for key, layer in self._shared.shelf.present().items():
            layer.visible = key == "reconstruction"

    def _say(self, sentence: str) -> None:
        self._shared.viewer.status = sentence

    @property
    def _callbacks(self) -> list[Any]:
        callbacks: list[Any] = self._shared.viewer.mouse_drag_callbacks
        return callbacks

    def _listen(self, on: bool) -> None:
        if on:
            self._callbacks.append(self._clicked)
        elif self._clicked in self._callbacks:
            self._callbacks.remove(self._clicked)

    def _clicked(self, _viewer: Any, event: Any) -> Generator[None, None, None]:
        """A press and a release without a drag between them."""
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        voxel = voxel_at(self._shared, event.position)
        if not dragged and voxel is not None:
            self.ask(voxel)


def _nothing() -> None:
    """Do nothing: the layer says all."""
