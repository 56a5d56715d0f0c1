"""The maps of a sweep as stacks, with a slider for its values."""

from napari.components import ViewerModel

from mri_noise.plugin.canvas.backdrop import Backdrop
from mri_noise.plugin.canvas.layers import Shelf
from mri_noise.plugin.preferences import shaped
from mri_noise.plugin.viewers import show_slice
from mri_noise.session.sweeps.sweeps import Sweep, stack_layers


class SweepStack:
    """Stacks over the finished runs of a sweep."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._shelf, self._backdrop = Shelf(viewer), Backdrop(viewer)
        self._sweep: Sweep | None = None

    @property
    def on(self) -> bool:
        """Whether there are stacks on screen."""
        return bool(self._shelf.present())

    @property
    def position(self) -> int | None:
        """Which of the finished runs the slider is at."""
        dims = self._viewer.dims
        if self._sweep is None or not self.on or dims.ndim < 4:
            return None
        return min(int(dims.current_step[dims.ndim - 4]), len(self._sweep.runs) - 1)

    def show(self, sweep: Sweep) -> None:
        """Show or extend the stacks."""
        if not sweep.runs:
            return
        if not self.on:
            self._backdrop.hide()
        self._sweep = sweep
        origin = sweep.runs[0].result
        results = tuple(run.result for run in sweep.runs)
        self._shelf.show([shaped(spec) for spec in stack_layers(sweep)], results)
        self._viewer.layers.selection.active = self._shelf["stack_std"]
        show_slice(self._viewer, origin.index, origin.provenance.voxel_size)
        dims = self._viewer.dims
        dims.set_current_step(dims.ndim - 4, len(sweep.runs) - 1)

    def leave(self) -> None:
        """Take the stacks away, and show again what they hid."""
        self._shelf.clear()
        self._sweep = None
        self._backdrop.restore()
