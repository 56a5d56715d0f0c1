"""How the variance of a reconstruction is computed: what every choice of a method is."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch

from mri_noise.choices import Choosable, Group
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint


class VarianceMethod(Choosable):
    """How the variance of a reconstruction is computed."""

    group: ClassVar[Group] = "methods"
    thing: ClassVar[str] = "method"

    @abstractmethod
    def __call__(self, point: OperatingPoint, generator: torch.Generator) -> Iterator[VarianceEstimate]:
        """Refine the variance; the last estimate is complete."""
