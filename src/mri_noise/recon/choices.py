"""The reconstructions that an experiment can choose from."""

from typing import Annotated

from pydantic import Field

from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.recon.networks.varnet_image import ImageVarNetSettings
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.recon.weights.shipped import Shipped

Reconstruction = Annotated[
    ZeroFilled
    | CGSense
    | UNetSettings
    | UnrolledSettings
    | MoDLSettings
    | VarNetSettings
    | ImageVarNetSettings
    | Shipped
    | Checkpoint,
    Field(discriminator="kind"),
]
"""How an image is made from k-space; an architecture without a checkpoint has random weights."""
