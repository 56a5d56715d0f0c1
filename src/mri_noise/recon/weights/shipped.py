"""The trained networks that come with the package."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import ClassVar, Literal, get_args

from pydantic import Field

from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.recon.weights.checkpoint import load_network

ShippedName = Literal["unet", "unrolled", "modl", "varnet", "modl-ssdu", "modl-n2r", "modl-vortex"]
SHIPPED_NAMES: tuple[ShippedName, ...] = get_args(ShippedName)

TITLES: Mapping[ShippedName, str] = {
    "modl": "MoDL",
    "modl-ssdu": "MoDL, self-supervised (SSDU)",
    "modl-n2r": "MoDL, Noise2Recon",
    "modl-vortex": "MoDL, VORTEX",
    "unrolled": "unrolled network",
    "varnet": "VarNet",
    "unet": "U-Net",
}
"""What they are called on screen, in the order of a menu."""


class Shipped(Reconstruction):
    """A trained network that comes with the package."""

    offered: ClassVar[bool] = False

    kind: Literal["shipped"] = "shipped"
    name: ShippedName = Field("modl", description="Architecture, and what it learned from if that was not targets")

    def __call__(self) -> Reconstructor:
        """Load the network."""
        with shipped_weights(self.name) as path:
            return load_network(path)

    @classmethod
    def presets(cls) -> Mapping[str, "Shipped"]:
        return {title: cls(name=name) for name, title in TITLES.items()}

    @property
    def label(self) -> str:
        return TITLES[self.name]

    @property
    def short_name(self) -> str:
        return self.name

    def files(self) -> Iterator[Path]:
        """The file of its weights."""
        with shipped_weights(self.name) as path:
            yield path


@contextmanager
def shipped_weights(name: ShippedName) -> Iterator[Path]:
    """Give the file of a network's weights, wherever the package lies."""
    with as_file(files("mri_noise.recon.weights.trained") / f"{name}.safetensors") as path:
        yield path
