"""Agreement of the reconstructions of an example and of its augmentation: what Noise2Recon and VORTEX share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.augment.augmentation import uniform
from mri_noise.training.augment.choices import AnyAugmentation, augmented
from mri_noise.training.example import Example
from mri_noise.training.objectives.losses import ComplexL1, Loss
from mri_noise.training.objectives.supervised import distance_from_target
from mri_noise.training.objectives.value import Needs, ObjectiveSettings, ObjectiveValue
from mri_noise.training.together import reconstruct_each

_SHARE, _AUGMENTATION = 0, 1


class Consistency(ObjectiveSettings):
    """The base of Noise2Recon and VORTEX: L(f(y), target), if there is one, + lambda L(f(y'), T f(y))."""

    loss: Loss = ComplexL1()
    weight: float = Field(0.1, ge=0, description="Factor lambda of the consistency")
    labelled_share: float = Field(
        1.0, ge=0, le=1, description="Share of the labelled examples that get the consistency too; unlabelled all do"
    )
    detached: bool = Field(True, description="No gradient flows through the reconstruction that is the pseudo-label")
    needs: ClassVar[Needs] = "some labels"

    def is_drawn(self, example: Example) -> bool:
        """Whether an example gets the consistency."""
        return example.target is None or uniform(0.0, 1.0, example.generator(_SHARE)) < self.labelled_share


def with_consistency(
    settings: Consistency,
    augmentations: Sequence[AnyAugmentation],
    network: Reconstructor,
    examples: Sequence[Example],
    progress: float,
) -> list[ObjectiveValue]:
    """Return the supervised loss of labelled examples, and the consistency of those that are drawn for it.

    The pseudo-label f(y) goes through the augmentations as the target of the example.
    """
    images = _reconstructed(network, examples, settings.detached)
    drawn = [index for index, example in enumerate(examples) if settings.is_drawn(example)]
    changed = [_changed(settings, augmentations, examples[index], images[index], progress) for index in drawn]
    agreements = [
        distance_from_target(settings.loss, *pair)
        for pair in zip(reconstruct_each(network, changed), changed, strict=True)
    ]
    agreement_of = dict(zip(drawn, agreements, strict=True))
    return [_value(settings, example, images[index], agreement_of.get(index)) for index, example in enumerate(examples)]


def _changed(
    settings: Consistency,
    augmentations: Sequence[AnyAugmentation],
    example: Example,
    image: Image,
    progress: float,
) -> Example:
    labelled = replace(example, target=image.detach() if settings.detached else image)
    return augmented(labelled, augmentations, progress, example.generator(_AUGMENTATION))


def _value(settings: Consistency, example: Example, image: Image, agreement: Tensor | None) -> ObjectiveValue:
    parts, total = [], image.new_zeros((), dtype=image.real.dtype)
    if example.target is not None:
        supervised = distance_from_target(settings.loss, image, example)
        parts, total = [("supervised", supervised)], total + supervised
    if agreement is not None:
        parts, total = [*parts, ("consistency", agreement)], total + settings.weight * agreement
    return ObjectiveValue(total, tuple(parts))


def _reconstructed(network: Reconstructor, examples: Sequence[Example], detached: bool) -> list[Image]:
    """Reconstruct each example, without a graph those that only make a detached pseudo-label."""
    only_labels = [detached and example.target is None for example in examples]
    images: dict[int, Image] = {}
    for without_graph in set(only_labels):
        members = [index for index, only_label in enumerate(only_labels) if only_label is without_graph]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not without_graph):
            results = reconstruct_each(network, [examples[index] for index in members])
        images |= zip(members, results, strict=True)
    return [images[index] for index in range(len(examples))]
