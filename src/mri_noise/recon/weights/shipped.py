"""The trained networks that come with the package."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.recon.weights.checkpoint import load_network
from mri_noise.settings import Settings

ShippedName = Literal["unet", "unrolled", "modl", "varnet", "modl-ssdu", "modl-n2r", "modl-vortex"]
SHIPPED_NAMES: tuple[ShippedName, ...] = get_args(ShippedName)


class Shipped(Settings):
    """A trained network that comes with the package."""

    kind: Literal["shipped"] = "shipped"
    name: ShippedName = Field("modl", description="Architecture, and what it learned from if that was not targets")

    def __call__(self) -> Reconstructor:
        """Load the network."""
        with shipped_weights(self.name) as path:
            return load_network(path)

    def files(self) -> Iterator[Path]:
        """The file of its weights."""
        with shipped_weights(self.name) as path:
            yield path


@contextmanager
def shipped_weights(name: ShippedName) -> Iterator[Path]:
    """Give the file of a network's weights, wherever the package lies."""
    with as_file(files("mri_noise.recon.weights.trained") / f"{name}.safetensors") as path:
        yield path
