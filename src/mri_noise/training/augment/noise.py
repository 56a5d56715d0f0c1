"""More noise on the samples."""

import math
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field, model_validator

from mri_noise.training.augment.augmentation import Augmentation, uniform
from mri_noise.training.example import Example


class AddedNoise(Augmentation):
    """White noise of a random level on the sampled points (Desai 2022, doi:10.1002/mrm.29759); the image stays.

    The level, as :mod:`mri_noise.acquisition.noise` defines it, is in the units of an example, in which bright tissue
    is about one. The schedule scales the largest level down, and the smallest with it once it is larger.
    """

    kind: Literal["noise"] = "noise"
    smallest: float = Field(0.05, ge=0, description="Smallest level that is drawn, for bright tissue of one")
    largest: float = Field(0.3, ge=0, description="Largest level that is drawn, for bright tissue of one")

    @model_validator(mode="after")
    def _in_order(self) -> "AddedNoise":
        if self.smallest > self.largest:
            raise ValueError(
                f"the smallest noise level, {self.smallest:g}, should not be above the largest, {self.largest:g}; "
                "lower noise.smallest"
            )
        return self

    def __call__(self, example: Example, strength: float, generator: torch.Generator) -> Example:
        """Return the noisier example."""
        largest = strength * self.largest
        level = uniform(min(self.smallest, largest), largest, generator)
        noise = torch.randn(example.kspace.shape, generator=generator, dtype=example.kspace.dtype)
        kspace = example.kspace + level * noise.to(example.kspace.device) * example.mask
        return replace(example, kspace=kspace, noise_level=math.hypot(example.noise_level, level))
