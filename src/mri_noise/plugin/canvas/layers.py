"""The one place that makes napari layers."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from mri_noise.session.components import COMPONENTS, Component, ContrastLimits
from mri_noise.session.furniture import Origin
from mri_noise.session.layer_data import METADATA, Geometry, LayerSpec

LayerData = tuple[Any, dict[str, Any], str]

SOURCE = "mri_noise_source"
"""The key of a layer's metadata under which its :class:`Source` is."""


_NUMBERED = re.compile(r"(?<=\S) \[\d+\]$")
"""What napari adds to a name that another layer has."""

_BAR = (14, 110)  # width and height of a colour bar [pixel]


@dataclass(frozen=True, slots=True)
class Source:
    """What a layer was made from; it lives as long as the layer.

    Attributes
    ----------
    origin
        What the layer shows something of.
    spec
    """

    origin: Origin
    spec: LayerSpec

    @property
    def is_complex(self) -> bool:
        """Whether there are components to choose from."""
        return np.issubdtype(self.spec.data.dtype, np.complexfloating)


def source_of(layer: Layer) -> Source | None:
    """What a layer was made from, if it is one of ours."""
    source = layer.metadata.get(SOURCE)
    return source if isinstance(source, Source) else None


def layer_data(spec: LayerSpec, origin: Origin = None, component: str = "magnitude") -> LayerData:
    """What napari makes a layer of."""
    shown = _shown(spec, COMPONENTS[component])
    metadata = {METADATA: {**spec.provenance, "component": component}, SOURCE: Source(origin, spec)}
    arguments = {
        "name": shown.name,
        "colormap": shown.colormap,
        "contrast_limits": shown.window,
        "visible": spec.look.visible,
        "metadata": metadata,
        "blending": "translucent_no_depth",
        **placement(spec.geometry),
    }
    return shown.data, arguments, "image"


def placement(where: Geometry) -> dict[str, Any]:
    """Every attribute of a layer that says where its voxels are, in the order in which napari takes them."""
    n_axes = len(where.scale)
    return {
        "scale": where.scale,
        "translate": where.translate,
        "rotate": np.eye(n_axes),
        "shear": np.zeros(n_axes * (n_axes - 1) // 2),
        "affine": np.eye(n_axes + 1),
        "units": where.units,
        "axis_labels": where.axis_labels,
    }


def place(layer: Layer, where: Geometry) -> None:
    """Put a layer where its voxels are."""
    for name, value in placement(where).items():
        setattr(layer, name, value)


@dataclass(frozen=True, slots=True)
class _Shown:
    data: Any
    name: str
    colormap: str
    window: ContrastLimits


def _shown(spec: LayerSpec, component: Component) -> _Shown:
    """A real view of a specification."""
    if not np.issubdtype(spec.data.dtype, np.complexfloating):
        return _Shown(spec.data, spec.name, spec.look.colormap, spec.look.window)
    data = component.values(spec.data).astype(np.float32)
    if component.name == "magnitude":
        return _Shown(data, spec.name, spec.look.colormap, spec.look.window)
    window = component.window(_plane(spec.data))
    return _Shown(data, _called(spec, component), component.colormap, window)


def _called(spec: LayerSpec, component: Component) -> str:
    """The name of a layer that shows a component."""
    if not np.issubdtype(spec.data.dtype, np.complexfloating) or component.name == "magnitude":
        return spec.name
    unit = {"phase": "rad", "log magnitude": "log10"}.get(component.name, spec.unit)
    return f"{spec.title}, {component.name} [{unit}]"


def _plane(data: Any) -> Any:
    """One slice from the middle, computed if it is lazy."""
    return np.asarray(data[tuple(n // 2 for n in data.shape[:-2])])


def show_component(layer: Image, component: str) -> None:
    """Show another component of a layer's complex values; nothing happens to a layer that has none."""
    source = source_of(layer)
    if source is not None and source.is_complex:
        layer.metadata = {**layer.metadata, METADATA: {**layer.metadata[METADATA], "component": component}}
        _redraw(layer, _shown(source.spec, COMPONENTS[component]))


def entitle(layer: Image, title: str) -> None:
    """Call a layer otherwise, unless the user has given it a name."""
    source = source_of(layer)
    if source is None or source.spec.title == title:
        return
    component = COMPONENTS[layer.metadata[METADATA]["component"]]
    after, called = replace(source.spec, title=title), _called(source.spec, component)
    layer.metadata = {**layer.metadata, SOURCE: Source(source.origin, after)}
    if _NUMBERED.sub("", layer.name) == called:
        layer.name = _called(after, component)


def _redraw(layer: Image, shown: _Shown) -> None:
    layer.data = shown.data
    layer.name = shown.name
    layer.colormap = shown.colormap
    layer.contrast_limits_range = shown.window
    layer.contrast_limits = shown.window


def appear(layer: Image) -> Iterator[None]:
    """Show a layer that was added hidden, after its colour bar and its name are made: napari needs a while for each.

    What is made while the layer is hidden is not drawn yet.
    """
    for each in (layer.colorbar, layer.name_overlay) if layer.colormap.name != "gray" else ():
        each.visible = True
        yield
        each.visible = False
    layer.visible = True


class Shelf:
    """The layers that show one thing: refined in place, and never put back after the user has deleted them."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self._layers: dict[str, Image] = {}

    def __getitem__(self, key: str) -> Image:
        return self._layers[key]

    def __contains__(self, key: str) -> bool:
        return key in self._layers

    def present(self) -> dict[str, Image]:
        """The layers that the user has not deleted, by quantity."""
        return {key: layer for key, layer in self._layers.items() if layer in self.viewer.layers}

    def renew(self) -> None:
        """Forget what was deleted: the next run shows all its layers."""
        self._layers = self.present()

    def forget_deleted(self, key: str) -> None:
        """Forget that the user has deleted a layer: it is shown again."""
        if key not in self.present():
            self._layers.pop(key, None)

    def put_on_top(self, key: str) -> None:
        """Show a layer, and hide the other maps."""
        for other, layer in self.present().items():
            if other == key:
                layer.visible = True
            elif layer.colormap.name != "gray":
                layer.visible = False

    def remove(self, key: str) -> None:
        """Take a layer off the window."""
        layer = self.present().get(key)
        if layer is not None:
            self.viewer.layers.remove(layer)
        self._layers.pop(key, None)

    def clear(self) -> None:
        """Take all layers off the window."""
        for key in list(self._layers):
            self.remove(key)

    def show(self, specs: Iterable[LayerSpec], origin: Origin) -> None:
        """Draw specifications: in the layer of the same quantity if there is one, else in a new one."""
        for spec in specs:
            layer = self._layers.get(spec.key)
            if layer is None:
                self._layers[spec.key] = add_layer(self.viewer, layer_data(spec, origin))
            elif layer in self.viewer.layers:
                _refine(layer, spec, origin)


def add_layer(viewer: ViewerModel, made: LayerData) -> Image:
    """Add an image to a window."""
    data, arguments, _ = made
    layer = Image(data, **arguments)
    layer.colorbar.size = _BAR
    return viewer.add_layer(layer)


def _refine(layer: Image, spec: LayerSpec, origin: Origin) -> None:
    """Give a layer newer values; its window moves with them, unless the user has set it."""
    before = source_of(layer)
    component = layer.metadata[METADATA]["component"]
    shown = _shown(spec, COMPONENTS[component])
    untouched = before is not None and _is_window_of(layer, _shown(before.spec, COMPONENTS[component]))
    layer.metadata = {METADATA: {**spec.provenance, "component": component}, SOURCE: Source(origin, spec)}
    layer.data = shown.data
    if layer.name != shown.name:
        layer.name = shown.name
    if before is None or before.spec.geometry != spec.geometry:
        place(layer, spec.geometry)
    if untouched and not _is_window_of(layer, shown):
        layer.contrast_limits_range = shown.window
        layer.contrast_limits = shown.window


def _is_window_of(layer: Image, shown: _Shown) -> bool:
    return bool(np.allclose(layer.contrast_limits, shown.window, rtol=1e-4))
