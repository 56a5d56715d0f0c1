"""How an image is made from k-space: what every choice of a reconstruction is."""

from abc import abstractmethod
from typing import ClassVar

from torch import nn

from mri_noise.choices import Choosable, Group
from mri_noise.recon.reconstructor import Reconstructor


class Reconstruction(Choosable):
    """How an image is made from k-space."""

    group: ClassVar[Group] = "reconstructions"
    thing: ClassVar[str] = "reconstruction"

    @abstractmethod
    def __call__(self) -> Reconstructor:
        """Return the reconstruction; ValueError, in one sentence, if it cannot be made."""


class NetworkSettings(Reconstruction):
    """An architecture that can be trained: called, it gives the network with its initial weights.

    A network of the package or of another distribution is saved with its kind and settings, which make it again.
    """

    @abstractmethod
    def __call__(self) -> nn.Module:
        """Return the network with its initial weights."""
