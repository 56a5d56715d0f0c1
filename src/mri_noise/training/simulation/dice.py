"""Random numbers of a simulation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mri_noise.phantom.fields import RandomField
from mri_noise.seeds import generator_of

_N_WAVES = 12


@dataclass(frozen=True, slots=True)
class Dice:
    """Numbers from a CPU generator, each in the distribution that its use wants."""

    generator: torch.Generator

    @classmethod
    def of(cls, *seeds: int) -> "Dice":
        """Make the dice of a seed, a subject's number, a slice's number and so on: others give other numbers."""
        return cls(generator_of(*seeds))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self.generator, dtype=torch.float64).item()

    def log_uniform(self, low: float, high: float) -> float:
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self, std: float) -> float:
        return std * torch.randn((), generator=self.generator, dtype=torch.float64).item()

    def chance(self, probability: float) -> bool:
        return self.uniform(0.0, 1.0) < probability

    def integer(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator).item())

    def index(self, weights: Sequence[float]) -> int:
        """Draw an index with probabilities in proportion to weights."""
        return int(torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=self.generator).item())

    def normals(self, *shape: int) -> Tensor:
        """Draw standard normal numbers, float64."""
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def field(self, wavelength: float) -> RandomField:
        """Draw a smooth field of a wavelength [mm], mean 0 and variance 1."""
        return RandomField.draw(wavelength, _N_WAVES, self.generator)
