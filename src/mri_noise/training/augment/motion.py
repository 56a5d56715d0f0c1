"""Motion between shots, as errors of phase."""

import math
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import Mask
from mri_noise.operators.point_spread import undersampled_axes
from mri_noise.training.augment.augmentation import Augmentation
from mri_noise.training.example import Example


class Motion(Augmentation):
    """A random phase for each shot, between -pi a and pi a for amplitude a; the image stays.

    Shots take the sampled lines in turn: two shots are the odd and the even lines of Desai 2022,
    doi:10.48550/arXiv.2111.02549. The phases are taken relative to the shot that holds the centre of k-space, which
    sets the phase of the image: a phase that all shots share could not be told from the object's own.
    """

    kind: Literal["motion"] = "motion"
    amplitude: float = Field(0.3, ge=0, le=1, description="Largest phase error of a shot, in half turns")
    n_shots: int = Field(2, ge=2, description="Shots that take the sampled lines in turn")

    def __call__(self, example: Example, strength: float, generator: torch.Generator) -> Example:
        """Return the example as moving between shots would have left it."""
        turns = 2 * torch.rand(self.n_shots, generator=generator, dtype=torch.float64) - 1
        shots = shot_of_line(example.mask, self.n_shots)
        phases = math.pi * strength * self.amplitude * turns.to(shots.device)[shots]
        relative = phases - phases.flatten()[phases.numel() // 2]
        factor = torch.polar(torch.ones_like(relative), relative).to(example.kspace.dtype)
        return replace(example, kspace=example.kspace * factor)


def shot_of_line(mask: Mask, n_shots: int) -> Tensor:
    """Return the shot of each line, to be broadcast over k-space: (1, columns), or (rows, 1) if rows are undersampled.

    An unsampled line belongs to the shot of the sampled line before it.
    """
    across = -1 if undersampled_axes(mask) == (-2,) else -2
    sampled = mask.any(across, keepdim=True)
    return (sampled.flatten().cumsum(0) - 1).remainder(n_shots).reshape(sampled.shape)
