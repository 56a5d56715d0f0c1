"""The one place that makes napari layers."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.events import Event

from mri_noise.result import Result
from mri_noise.session.components import COMPONENTS, Component, Window
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.layers import METADATA, LayerSpec

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
        The scan or the result that the layer shows something of.
    spec
    """

    origin: OpenedScan | Result | None
    spec: LayerSpec

    @property
    def is_complex(self) -> bool:
        """Whether there are components to choose from."""
        return np.issubdtype(self.spec.data.dtype, np.complexfloating)


def source_of(layer: Layer) -> Source | None:
    """What a layer was made from, if it is one of ours."""
    source = layer.metadata.get(SOURCE)
    return source if isinstance(source, Source) else None


def layer_data(spec: LayerSpec, origin: OpenedScan | Result | None = None, component: str = "magnitude") -> LayerData:
    """What napari makes a layer of."""
    shown = _shown(spec, COMPONENTS[component])
    metadata = {METADATA: {**spec.provenance, "component": component}, SOURCE: Source(origin, spec)}
    where = spec.geometry
    arguments = {
        "name": shown.name,
        "colormap": shown.colormap,
        "contrast_limits": shown.window,
        "visible": spec.look.visible,
        "scale": where.scale,
        "translate": where.translate,
        "units": where.units,
        "axis_labels": where.axis_labels,
        "metadata": metadata,
        "blending": "translucent_no_depth",
    }
    return shown.data, arguments, "image"


@dataclass(frozen=True, slots=True)
class _Shown:
    data: Any
    name: str
    colormap: str
    window: Window


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
    label(layer)


def label(layer: Image) -> None:
    """Draw the colour bar of a layer in colours, and its name, which says of what the bar is."""
    in_colours = layer.colormap.name != "gray"
    layer.colorbar.size = _BAR
    layer.colorbar.visible = in_colours
    layer.name_overlay.visible = in_colours


def appear(layer: Image) -> Iterator[None]:
    """Show a layer that was added hidden, its colour bar and its name: napari needs a while to make and draw each.

    What is made while the layer is hidden is not drawn yet.
    """
    layer.events.visible.disconnect(_label_when_seen)
    layer.colorbar.size = _BAR
    labels = (layer.colorbar, layer.name_overlay) if layer.colormap.name != "gray" else ()
    for each in labels:
        each.visible = True
        yield
        each.visible = False
    layer.visible = True
    for each in labels:
        yield
        each.visible = True


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
        """Show a layer, and hide those whose names and colour bars would lie on its own."""
        for other, layer in self.present().items():
            if other == key:
                layer.visible = True
            elif layer.colorbar.visible:
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

    def show(self, specs: Iterable[LayerSpec], origin: OpenedScan | Result | None) -> None:
        """Draw specifications: in the layer of the same quantity if there is one, else in a new one."""
        for spec in specs:
            layer = self._layers.get(spec.key)
            if layer is None:
                self._layers[spec.key] = add_layer(self.viewer, layer_data(spec, origin))
            elif layer in self.viewer.layers:
                _refine(layer, spec, origin)


def add_layer(viewer: ViewerModel, made: LayerData) -> Image:
    """Add an image to a window, with its colour bar and name where it has colours: when it is first seen.

    napari takes as long to make them as to make the layer.
    """
    data, arguments, _ = made
    layer = Image(data, **arguments)
    if layer.visible:
        label(layer)
    else:
        layer.events.visible.connect(_label_when_seen)
    return viewer.add_layer(layer)


def _label_when_seen(event: Event) -> None:
    event.source.events.visible.disconnect(_label_when_seen)
    label(event.source)


def _refine(layer: Image, spec: LayerSpec, origin: OpenedScan | Result | None) -> None:
    """Give a layer newer values; its window moves with them, unless the user has set it."""
    before = source_of(layer)
    component = layer.metadata[METADATA]["component"]
    shown = _shown(spec, COMPONENTS[component])
    untouched = before is not None and _is_window_of(layer, _shown(before.spec, COMPONENTS[component]))
    layer.metadata = {METADATA: {**spec.provenance, "component": component}, SOURCE: Source(origin, spec)}
    layer.data = shown.data
    if layer.name != shown.name:
        layer.name = shown.name
    if tuple(layer.translate) != spec.geometry.translate:
        layer.translate = spec.geometry.translate
    if untouched and not _is_window_of(layer, shown):
        layer.contrast_limits_range = shown.window
        layer.contrast_limits = shown.window


def _is_window_of(layer: Image, shown: _Shown) -> bool:
    return bool(np.allclose(layer.contrast_limits, shown.window, rtol=1e-4))
