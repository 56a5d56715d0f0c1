"""Maps side by side: one window, one colour map, one camera; and their difference."""

from dataclasses import replace

from napari.components import ViewerModel
from napari.experimental import link_layers
from napari.layers import Layer

from mri_noise.plugin.backdrop import Backdrop
from mri_noise.plugin.layers import Shelf
from mri_noise.plugin.preferences import coloured
from mri_noise.report import reconstruction_name
from mri_noise.session.jobs import Snapshot
from mri_noise.session.layers import QUANTITIES, LayerSpec, difference_layer, map_layer, method_of

_LINKED = ("contrast_limits", "gamma", "colormap")


class SideBySide:
    """Three cells of napari's grid: the map of a run, that of another, and the first minus the second."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._shelf, self._backdrop = Shelf(viewer), Backdrop(viewer)
        self._pair: tuple[int, int] | None = None

    @property
    def on(self) -> bool:
        """Whether the grid is shown."""
        return bool(self._shelf.present())

    def show(self, run: Snapshot, other: Snapshot) -> None:
        """Show or refresh the grid."""
        specs = [_named(run, "std_run"), _named(other, "std_other")]
        difference = difference_layer(run.result, other.result, f"{run.job.name} - {other.job.name}")
        made = [specs[0], replace(specs[1], look=specs[0].look), difference]
        pair = run.job.number, other.job.number
        if pair == self._pair:
            self._shelf.show(made, run.result)
            return
        self.leave()
        self._pair = pair
        self._backdrop.hide()
        self._shelf.show(made, run.result)
        layers = list(self._shelf.present().values())
        link_layers(layers[:2], _LINKED)
        self._arrange(layers)

    def leave(self) -> None:
        """Take the grid away, and show again what it hid."""
        self._shelf.clear()
        self._pair = None
        self._viewer.canvas.grid.enabled = False
        self._backdrop.restore()

    def _arrange(self, layers: list[Layer]) -> None:
        grid = self._viewer.canvas.grid
        grid.shape, grid.stride, grid.spacing, grid.enabled = (1, len(layers)), -1, 4, True
        for layer in layers:
            layer.name_overlay.visible = True
        self._viewer.reset_view(layers=layers)


def _named(run: Snapshot, key: str) -> LayerSpec:
    spec = coloured(map_layer(run.result, run.job.name, QUANTITIES["std"]))
    title = f"{run.job.name}: std, {reconstruction_name(run.result)}, {method_of(run.result)}"
    return replace(spec, key=key, title=title)
