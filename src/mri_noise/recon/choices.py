"""The reconstructions that an experiment can choose from."""

from typing import Annotated

from pydantic import Field

from mri_noise.recon.checkpoint import Checkpoint
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.modl import MoDLSettings
from mri_noise.recon.shipped import Shipped
from mri_noise.recon.unet import UNetSettings
from mri_noise.recon.unrolled import UnrolledSettings
from mri_noise.recon.varnet import VarNetSettings
from mri_noise.recon.varnet_image import ImageVarNetSettings

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
