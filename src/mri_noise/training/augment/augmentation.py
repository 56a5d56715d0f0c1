"""What every augmentation has: a probability and a schedule."""

import torch
from pydantic import Field

from mri_noise.settings import Settings
from mri_noise.training.augment.schedule import Schedule


class Augmentation(Settings):
    """The base of all augmentations: how often one is applied, and how strongly as the training goes on.

    One that changes the image changes the example's target with its k-space, coil maps and mask; any other leaves
    the target alone. In consistency training the target is the reconstruction of the unchanged example.
    """

    probability: float = Field(1.0, ge=0, le=1, description="Share of the examples it is applied to")
    schedule: Schedule = Schedule()


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """Draw a number between two bounds."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))
