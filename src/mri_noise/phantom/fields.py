"""Smooth random functions of position."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class RandomField:
    """A sum of plane waves of nearly one length, random in direction and phase: mean 0, variance 1.

    Attributes
    ----------
    waves : shape (waves, 3) [rad/mm]
    phases : shape (waves,) [rad]
    """

    waves: Tensor
    phases: Tensor

    @classmethod
    def draw(cls, wavelength: float, n_waves: int, generator: torch.Generator) -> "RandomField":
        """Draw a field of a wavelength [mm], give or take an eighth."""
        direction = torch.randn(n_waves, 3, generator=generator, dtype=torch.float64)
        direction = direction / torch.linalg.vector_norm(direction, dim=1, keepdim=True)
        spread = 0.875 + 0.25 * torch.rand(n_waves, 1, generator=generator, dtype=torch.float64)
        phases = 2 * torch.pi * torch.rand(n_waves, generator=generator, dtype=torch.float64)
        return cls(2 * torch.pi / wavelength * spread * direction, phases)

    def __call__(self, points: Tensor) -> Tensor:
        """Return the field at points of shape (..., 3) [mm]."""
        return self._scale * torch.cos(self._angles(points)).sum(-1)

    def slope(self, points: Tensor) -> Tensor:
        """Return the length of the field's gradient at points of shape (..., 3) [1/mm]."""
        return self._scale * torch.linalg.vector_norm(torch.sin(self._angles(points)) @ self.waves, dim=-1)

    @property
    def _scale(self) -> float:
        return math.sqrt(2 / len(self.phases))

    def _angles(self, points: Tensor) -> Tensor:
        return points @ self.waves.T + self.phases
