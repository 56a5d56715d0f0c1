"""What a reconstruction is to the rest of the project."""

from typing import Protocol, runtime_checkable

from mri_noise.arrays import GridImage, Samples
from mri_noise.operators.encoding import Encoding


@runtime_checkable
class Reconstructor(Protocol):
    """Any callable from k-space and its encoding to an image, differentiable by torch.

    It takes any number of leading axes (noise realisations, probes) and treats their entries independently.
    One whose nonlinear parts are all steps of :mod:`mri_noise.operators.replay` says so by the attribute
    ``replayable = True`` and is linearised by replay; any other is traced.

    One that is refine(A^H y) for the zero-filled image A^H y, and lets each voxel depend on its neighbourhood there,
    has that function as ``refine``: its noise takes far fewer products to map. In others it is absent or None.

    A network that is to be trained on k-space may predict all of that itself, by a method ``predict_kspace`` of the
    same arguments; one whose image is a magnitude, of which no k-space can be told, has ``of_magnitudes = True``.
    """

    def __call__(self, kspace: Samples, encoding: Encoding) -> GridImage:
        """Reconstruct, shape (*batch, coils, *samples) -> (*batch, *grid), in the data's units."""
        ...
