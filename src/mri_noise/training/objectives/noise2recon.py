"""Learning from few targets and from noise that is added to scans."""

from collections.abc import Sequence
from typing import Literal

from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.augment.noise import AddedNoise
from mri_noise.training.example import Example
from mri_noise.training.objectives.consistency import Consistency, with_consistency
from mri_noise.training.objectives.value import ObjectiveValue


class Noise2Recon(Consistency):
    """L(f(y), target) of labelled examples + lambda L(f(y + n), f(y)) with white noise n of random level.

    No gradient flows through f(y) in the second term, as in the authors' code, where only unlabelled examples have
    that term unless asked for: ``labelled_share`` 0.

    Source: Desai 2022, doi:10.1002/mrm.29759.
    """

    kind: Literal["noise2recon"] = "noise2recon"
    noise: AddedNoise = AddedNoise()

    def of_each(self, network: Reconstructor, examples: Sequence[Example], progress: float) -> list[ObjectiveValue]:
        return with_consistency(self, (self.noise,), network, examples, progress)
