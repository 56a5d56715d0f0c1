"""Agreement of the reconstructions of an example and of its augmentation: what Noise2Recon and VORTEX share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from pydantic import Field

from mri_noise.arrays import Image
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.settings import Settings
from mri_noise.training.augment.augmentation import uniform
from mri_noise.training.augment.choices import AnyAugmentation, augmented
from mri_noise.training.example import Example
from mri_noise.training.losses import ComplexL1, Loss
from mri_noise.training.objectives.supervised import distance_from_target
from mri_noise.training.objectives.value import Needs, ObjectiveValue

_SHARE, _AUGMENTATION = 0, 1


class Consistency(Settings):
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
    example: Example,
    progress: float,
) -> ObjectiveValue:
    """Return the supervised loss of a labelled example, and the consistency of one that is drawn for it.

    The pseudo-label f(y) goes through the augmentations as the target of the example.
    """
    image = _reconstructed(network, example, settings.detached)
    parts, total = [], image.new_zeros((), dtype=image.real.dtype)
    if example.target is not None:
        supervised = distance_from_target(settings.loss, image, example)
        parts, total = [("supervised", supervised)], total + supervised
    if settings.is_drawn(example):
        labelled = replace(example, target=image.detach() if settings.detached else image)
        changed = augmented(labelled, augmentations, progress, example.generator(_AUGMENTATION))
        agreement = distance_from_target(settings.loss, network(changed.kspace, changed.encoding), changed)
        parts, total = [*parts, ("consistency", agreement)], total + settings.weight * agreement
    return ObjectiveValue(total, tuple(parts))


def _reconstructed(network: Reconstructor, example: Example, detached: bool) -> Image:
    """Reconstruct the example, without a graph if it only makes a detached pseudo-label."""
    only_label = detached and example.target is None
    with torch.set_grad_enabled(torch.is_grad_enabled() and not only_label):
        return network(example.kspace, example.encoding)
