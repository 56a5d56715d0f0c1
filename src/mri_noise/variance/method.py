"""What every variance method is: settings that map the noise at an operating point, and what they are able to do."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch

from mri_noise.choices import Choosable, Group
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Plan


class VarianceMethod(Choosable):
    """A way to compute the noise variance of a reconstructed image.

    Attributes
    ----------
    linearises
        Whether it takes the derivative of the reconstruction, whose linearity is then checked.
    sample_name
        What its samples are called.
    channels
        Those that it computes; the magnitude is one of them.
    can_stop
        Whether it adds samples until it is told to stop, so that a run may be cut short: the method that asks for as
        many samples as are in gives the same numbers.
    counted_by
        The setting that counts its samples; empty where it cannot be cut short.
    """

    group: ClassVar[Group] = "methods"
    thing: ClassVar[str] = "method"
    linearises: ClassVar[bool] = True
    sample_name: ClassVar[str] = "samples"
    channels: ClassVar[tuple[Channel, ...]] = ("magnitude",)
    can_stop: ClassVar[bool] = False
    counted_by: ClassVar[str] = ""

    @abstractmethod
    def __call__(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None = None
    ) -> Iterator[VarianceEstimate]:
        """Refine the variance, snapshot by snapshot.

        ``plan`` is that of another slice of the same protocol, which saves a method that plans its pilots.
        """

    def beside(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None, excess: Excess | None
    ) -> Iterator[VarianceEstimate]:
        """Refine the variance of the linear part, to which what pairs say is then added.

        A method that plans may ask for as many pairs as suit the accuracy of the whole (:attr:`.Plan.n_pairs`).
        """
        return self(point, generator, plan)

    @property
    def shares_plan(self) -> bool:
        """Whether the plan of one slice is to serve for the others of a run."""
        return False

    def supports(self, point: OperatingPoint) -> str | None:
        """Say why it cannot map the noise at a point, in one sentence; None if it can."""
        return None

    def cut_to(self, n_samples: int) -> "VarianceMethod":
        """The method that ends with so many samples.

        Raises
        ------
        ValueError
            If it cannot be cut short.
        """
        if not self.can_stop:
            raise ValueError(f"a map by {self.sample_name} cannot be cut short; let the run go on")
        return self.model_copy(update={self.counted_by: n_samples})
