"""Maps side by side: one window, one colour map, one camera; and their difference."""

from dataclasses import replace

from napari.components import ViewerModel
from napari.experimental import link_layers
from napari.layers import Layer

from mri_noise.plugin.layers import Shelf
from mri_noise.plugin.preferences import coloured
from mri_noise.session.jobs import Snapshot
from mri_noise.session.layers import QUANTITIES, LayerSpec, difference_layer, map_layer, method_of

_LINKED = ("contrast_limits", "gamma", "colormap")


class SideBySide:
    """Three cells of napari's grid: the map of a run, that of another, and the first minus the second."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._shelf = Shelf(viewer)
        self._hidden: list[Layer] = []

    @property
    def on(self) -> bool:
        """Whether the grid is shown."""
        return bool(self._shelf.present())

    def show(self, run: Snapshot, other: Snapshot) -> None:
        """Show or refresh the grid."""
        specs = [_named(run, "std_run"), _named(other, "std_other")]
        first = not self.on
        if first:
            self._hide_others()
        difference = difference_layer(run.result, other.result, run.job.name)
        self._shelf.show([specs[0], replace(specs[1], look=specs[0].look), difference], run.result)
        layers = self._shelf.present()
        if first and {"std_run", "std_other"} <= set(layers):
            link_layers([layers["std_run"], layers["std_other"]], _LINKED)
            self._arrange(list(layers.values()))

    def leave(self) -> None:
        """Take the grid away, and show again what it hid."""
        self._shelf.clear()
        self._viewer.canvas.grid.enabled = False
        for layer in self._hidden:
            if layer in self._viewer.layers:
                layer.visible = True
        self._hidden = []

    def _hide_others(self) -> None:
        self._hidden = [layer for layer in self._viewer.layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False

    def _arrange(self, layers: list[Layer]) -> None:
        grid = self._viewer.canvas.grid
        grid.shape, grid.stride, grid.spacing, grid.enabled = (1, len(layers)), -1, 4, True
        for layer in layers:
            layer.name_overlay.visible = True
        self._viewer.reset_view()


def _named(run: Snapshot, key: str) -> LayerSpec:
    spec = coloured(map_layer(run.result, run.job.name, QUANTITIES["std"]))
    title = f"{run.job.name}: std, {run.result.experiment.reconstruction.kind}, {method_of(run.result)}"
    return replace(spec, key=key, title=title)
