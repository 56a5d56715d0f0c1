"""The trained networks that come with the package."""

from importlib.resources import as_file, files
from typing import Literal

from pydantic import Field

from mri_noise.recon.checkpoint import load_network
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.settings import Settings

ShippedName = Literal["unet", "unrolled", "modl", "varnet", "modl-ssdu", "modl-n2r", "modl-vortex"]


class Shipped(Settings):
    """A trained network that comes with the package; docs/models.md tells how each was trained and how it does."""

    kind: Literal["shipped"] = "shipped"
    name: ShippedName = Field("unrolled", description="Architecture, then objective if it is not the supervised one")

    def __call__(self) -> Reconstructor:
        """Load the network; ValueError if this installation does not hold its weights."""
        with as_file(files("mri_noise") / "weights" / f"{self.name}.safetensors") as path:
            return load_network(path)
