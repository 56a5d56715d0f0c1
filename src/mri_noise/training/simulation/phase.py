"""The phase of the object."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mri_noise.phantom.fields import RandomField
from mri_noise.training.simulation.dice import Dice

_SINUSES = ((0.0, 62.0, -22.0), (0.0, 45.0, -40.0), (55.0, -20.0, -38.0), (-55.0, -20.0, -38.0))
"""Where air in the head disturbs the field: frontal sinus, nasal cavity, both ears [mm]."""
_FAT = 1.35
"""Value of a volume above which tissue is mostly fat."""


@dataclass(frozen=True, slots=True)
class ObjectPhase:
    """Phase of the transverse magnetisation, as a function of position and of tissue.

    Attributes
    ----------
    smooth
        Fields with their amplitudes [rad].
    slope : shape (3,) [rad/mm]
        A shift of the centre of k-space.
    sinuses : shape (4, 5)
        Centre [mm], width [mm] and amplitude [rad] of the off-resonance beside air.
    fat
        Phase of fat relative to water [rad].
    """

    smooth: tuple[tuple[float, RandomField], ...]
    slope: Tensor
    sinuses: Tensor
    fat: float

    @classmethod
    def draw(cls, dice: Dice) -> "ObjectPhase":
        strength = dice.log_uniform(0.05, 3.0)
        smooth = (
            (strength, dice.field(dice.uniform(180.0, 350.0))),
            (0.2 * strength, dice.field(dice.uniform(70.0, 120.0))),
        )
        slope = dice.log_uniform(0.001, 0.03) * dice.normals(3)
        size = dice.log_uniform(1.0, 16.0) if dice.chance(0.5) else 0.0
        sinuses = [
            [
                x + dice.normal(5.0),
                y + dice.normal(8.0),
                z + dice.normal(10.0),
                dice.uniform(18.0, 40.0),
                size * dice.uniform(0.0, 1.0),
            ]
            for x, y, z in _SINUSES
        ]
        fat = dice.uniform(-math.pi, math.pi) if dice.chance(0.6) else 0.0
        return cls(smooth, slope, torch.tensor(sinuses, dtype=torch.float64), fat)

    def of_water(self, points: Tensor) -> Tensor:
        """Return the phase at points of shape (..., 3) [rad]."""
        distance = torch.linalg.vector_norm(points[..., None, :] - self.sinuses[:, :3], dim=-1) / self.sinuses[:, 3]
        blobs = (self.sinuses[:, 4] * torch.exp(-distance.square())).sum(-1)
        return points @ self.slope + blobs + sum(amplitude * field(points) for amplitude, field in self.smooth)

    def of_fat(self, values: Tensor) -> Tensor:
        """Return the phase that fat adds, by the value of the volume [rad]."""
        return self.fat * torch.sigmoid((values - _FAT) / 0.08)
