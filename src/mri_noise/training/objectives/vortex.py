"""Learning from few targets and from composed transforms of scans."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.augment.affine import Affine
from mri_noise.training.augment.choices import AnyAugmentation
from mri_noise.training.augment.motion import Motion
from mri_noise.training.augment.noise import AddedNoise
from mri_noise.training.augment.schedule import Schedule
from mri_noise.training.augment.symmetry import Symmetry
from mri_noise.training.example import Example
from mri_noise.training.objectives.consistency import Consistency, with_consistency
from mri_noise.training.objectives.kspace import require_image_of_maps
from mri_noise.training.objectives.value import ObjectiveValue

_CURRICULUM = Schedule(end=0.5)


class VORTEX(Consistency):
    """L(f(y), target) of labelled examples + lambda L(f(y'), T f(y)), with y' from y by all augmentations in turn.

    T is made of those that change the image (symmetry, affine); noise and motion change k-space alone. No gradient
    flows through f(y) in the second term, as in the authors' code, where only unlabelled examples have that term
    unless asked for: ``labelled_share`` 0.

    Source: Desai 2022, doi:10.48550/arXiv.2111.02549.
    """

    kind: Literal["vortex"] = "vortex"
    augmentations: tuple[AnyAugmentation, ...] = Field(
        (
            Symmetry(probability=0.5),
            Motion(probability=0.5, schedule=_CURRICULUM),
            AddedNoise(probability=0.5, schedule=_CURRICULUM),
        ),
        min_length=1,
        description="Applied in this order",
    )

    def of_each(self, network: Reconstructor, examples: Sequence[Example], progress: float) -> list[ObjectiveValue]:
        """Return the objective of each example, labelled or not.

        Raises
        ------
        ValueError
            If an affine augmentation is to predict k-space from an image that is not of the example's coil maps.
        """
        if any(isinstance(augmentation, Affine) for augmentation in self.augmentations):
            require_image_of_maps(network)
        return with_consistency(self, self.augmentations, network, examples, progress)
