"""One key a component, on every image layer: m, p, r, i and l, as in other viewers of MRI."""

from collections.abc import Callable

from napari.layers import Image

from mri_noise.plugin.canvas.layers import show_component
from mri_noise.session.components import COMPONENTS


def bind_component_keys() -> None:
    """Let the keys of the components act on image layers; those without complex values ignore them."""
    for name, component in COMPONENTS.items():
        Image.bind_key(component.key, _action(name), overwrite=True)


def _action(name: str) -> Callable[[Image], None]:
    def show(layer: Image) -> None:
        show_component(layer, name)

    show.__doc__ = f"Show the {name} of complex MRI data."
    return show
