"""The objectives that a training can choose from."""

from typing import Annotated

from pydantic import Field

from mri_noise.training.objectives.noise2recon import Noise2Recon
from mri_noise.training.objectives.ssdu import SSDU
from mri_noise.training.objectives.supervised import Supervised
from mri_noise.training.objectives.vortex import VORTEX

Objective = Annotated[Supervised | SSDU | Noise2Recon | VORTEX, Field(discriminator="kind")]
"""What is minimised."""
