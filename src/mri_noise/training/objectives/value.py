"""What an objective returns."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

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
