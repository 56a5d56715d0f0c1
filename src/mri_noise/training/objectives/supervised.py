"""Learning from targets."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.example import Example
from mri_noise.training.objectives.losses import ComplexL1, Loss
from mri_noise.training.objectives.value import Needs, ObjectiveSettings, ObjectiveValue
from mri_noise.training.together import reconstruct_each


class Supervised(ObjectiveSettings):
    """The distance of the reconstruction from the image of all that was acquired."""

    kind: Literal["supervised"] = "supervised"
    loss: Loss = ComplexL1()
    needs: ClassVar[Needs] = "labels"

    def of_each(self, network: Reconstructor, examples: Sequence[Example], progress: float) -> list[ObjectiveValue]:
        images = reconstruct_each(network, examples)
        values = [distance_from_target(self.loss, *pair) for pair in zip(images, examples, strict=True)]
        return [ObjectiveValue(value, (("supervised", value),)) for value in values]


def distance_from_target(loss: Loss, image: Image, example: Example) -> Tensor:
    """Return the loss of an example's reconstruction; ValueError if the example has no target."""
    if example.target is None:
        raise ValueError(
            "supervised learning needs a target in every example, and this one has none; "
            "use labelled data only, or choose ssdu, noise2recon or vortex"
        )
    return loss(image, example.target, example.encoding)
