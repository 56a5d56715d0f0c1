"""The augmentations that an objective can choose from, and their application in turn."""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field

from mri_noise.training.augment.affine import Affine
from mri_noise.training.augment.augmentation import uniform
from mri_noise.training.augment.motion import Motion
from mri_noise.training.augment.noise import AddedNoise
from mri_noise.training.augment.symmetry import Symmetry
from mri_noise.training.example import Example

AnyAugmentation = Annotated[AddedNoise | Motion | Symmetry | Affine, Field(discriminator="kind")]
"""Called with (example, strength, generator), it returns an example."""


def augmented(
    example: Example, augmentations: Sequence[AnyAugmentation], progress: float, generator: torch.Generator
) -> Example:
    """Apply augmentations in turn, each with its probability and at its strength of the moment."""
    for augmentation in augmentations:
        if uniform(0.0, 1.0, generator) < augmentation.probability:
            example = augmentation(example, augmentation.schedule(progress), generator)
    return example
