"""Maps side by side: one window, one colour map, one camera; and their difference."""

import math
from dataclasses import replace

from napari.components import ViewerModel
from napari.experimental import link_layers
from napari.layers import Layer

from mri_noise.plugin.canvas.backdrop import Backdrop
from mri_noise.plugin.canvas.layers import Shelf
from mri_noise.plugin.preferences import shaped
from mri_noise.plugin.viewers import show_slice
from mri_noise.session.furniture import Origin
from mri_noise.session.jobs import Snapshot
from mri_noise.session.layer_data import QUANTITIES, LayerSpec, difference_layer, map_layer

_WIDE = 2.0  # width over height of a canvas that three cells in a row fill better than two by two
_BAR, _FONT_SIZE = (14, 100), 8  # width and height [pixels]; [points]
_LINKED = ("contrast_limits", "gamma", "colormap")


class SideBySide:
    """Three cells of napari's grid: the map of a run, that of another, and the first minus the second.

    All lie where the first run has its slice, also if the other one is of another slice or scan.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._shelf, self._backdrop = Shelf(viewer), Backdrop(viewer)
        self._pair: tuple[int, int] | None = None
        self._view = viewer.scene.camera.center, viewer.scene.camera.zoom
        viewer.canvas.grid.events.enabled.connect(self._follow)

    @property
    def on(self) -> bool:
        """Whether the grid is shown."""
        return bool(self._shelf.present())

    def show(self, run: Snapshot, other: Snapshot) -> None:
        """Show or refresh the grid."""
        specs = [_named(run, "std_run"), _named(other, "std_other")]
        alike = replace(specs[1], look=specs[0].look, geometry=specs[0].geometry)
        made = [specs[0], alike, _difference(run, other)]
        pair = run.job.number, other.job.number
        if pair == self._pair:
            self._draw(made, run, other)
            return
        self.leave()
        self._pair = pair
        camera = self._viewer.scene.camera
        self._view = camera.center, camera.zoom
        self._backdrop.hide()
        self._draw(made, run, other)
        layers = list(self._shelf.present().values())
        link_layers(layers[:2], _LINKED)
        self._arrange(layers)
        show_slice(self._viewer, run.result.index, run.result.provenance.voxel_size)

    def leave(self) -> None:
        """Take the grid away, and show again what it hid, as large as it was."""
        was_on = self.on
        self._shelf.clear()
        self._pair = None
        self._backdrop.restore()
        self._viewer.canvas.grid.enabled = False
        if was_on:
            self._viewer.scene.camera.center, self._viewer.scene.camera.zoom = self._view

    def _follow(self, _event: object = None) -> None:
        """Leave with the grid that another button of the window switches off."""
        if self.on and not self._viewer.canvas.grid.enabled:
            self.leave()

    def _draw(self, specs: list[LayerSpec], run: Snapshot, other: Snapshot) -> None:
        """Draw the three cells, each with what it shows something of."""
        origins: list[Origin] = [run.result, other.result, (run.result, other.result)]
        for spec, origin in zip(specs, origins, strict=True):
            self._shelf.show([spec], origin)

    def _arrange(self, layers: list[Layer]) -> None:
        height, width = self._viewer.canvas.size
        grid = self._viewer.canvas.grid
        grid.shape = (1, 3) if width > _WIDE * height else (2, 2)
        grid.stride, grid.spacing, grid.enabled = 1, 4, True
        for layer in layers:
            layer.name_overlay.font_size = _FONT_SIZE
            layer.colorbar.size, layer.colorbar.font_size = _BAR, _FONT_SIZE
        self._viewer.layers.selection.active = layers[0]
        alone = layers if self._viewer.dims.ndim == layers[0].ndim else None  # napari cannot among layers of more axes
        self._viewer.reset_view(layers=alone)


def _named(run: Snapshot, key: str) -> LayerSpec:
    spec = shaped(map_layer(run.result, run.job.name, QUANTITIES["std"]))
    method = run.result.experiment.variance.kind.replace("-", " ")
    return replace(spec, key=key, title=f"{run.job.name}: std, {method}")


def _difference(run: Snapshot, other: Snapshot) -> LayerSpec:
    """The first minus the second, in a symmetric window whose ends are round."""
    name = f"{run.job.name} - {other.job.name}"
    spec = difference_layer(run.result, other.result, name)
    top = round_up(spec.look.window[1])
    runs = [{"run": each.job.name} for each in (run, other)]
    provenance = {**spec.provenance, "runs": runs}
    return replace(spec, title=f"{name}: std", look=replace(spec.look, window=(-top, top)), provenance=provenance)


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 and so on, of any decade."""
    decade = 10.0 ** math.floor(math.log10(value))
    return next(step * decade for step in (1.0, 2.0, 5.0, 10.0) if value <= step * decade * (1 + 1e-9))
