"""What an objective is, and what it returns."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.settings import Settings
from mri_noise.training.example import Example

Needs = Literal["labels", "some labels", "nothing"]
"""Whether an objective needs the target of every example, of some examples, or of none."""


@dataclass(frozen=True, slots=True)
class ObjectiveValue:
    """The value of an objective for one example.

    Attributes
    ----------
    total
        The scalar that is minimised.
    parts
        Name and unweighted value of each of its terms.
    """

    total: Tensor
    parts: tuple[tuple[str, Tensor], ...]


class ObjectiveSettings(Settings):
    """The base of all objectives.

    Attributes
    ----------
    needs
        What is needed of the examples.
    """

    needs: ClassVar[Needs]

    @abstractmethod
    def of_each(self, network: Reconstructor, examples: Sequence[Example], progress: float) -> list[ObjectiveValue]:
        """Return the value of each example at a progress from 0 to 1 through the training.

        Raises
        ------
        ValueError
            If an example or the network does not suit the objective.
        """

    def __call__(self, network: Reconstructor, example: Example, progress: float) -> ObjectiveValue:
        """Return the value of one example."""
        (value,) = self.of_each(network, [example], progress)
        return value
