"""Distances between an image and its target, of which none grows with the image size."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft
from mri_noise.settings import Settings

Part = Annotated[
    Literal["complex", "magnitude"],
    Field(description="complex: phase counts; magnitude: for networks whose image has no phase, or one of its own"),
]


class ComplexL1(Settings):
    """Mean of |x - t|, or of ||x| - |t|| (Zhao 2017, doi:10.1109/TCI.2016.2644865)."""

    kind: Literal["complex-l1"] = "complex-l1"
    of: Part = "complex"

    def __call__(self, image: Image, target: Image, encoding: Sense) -> Tensor:
        """Return the distance of an image from its target."""
        return (_part(image, self.of) - _part(target, self.of)).abs().mean()


class KSpaceL1(Settings):
    """Mean of |F S (x - t)| over all of k-space: the L1 part of Yaman 2020, doi:10.1002/mrm.28378, with all known."""

    kind: Literal["kspace-l1"] = "kspace-l1"

    def __call__(self, image: Image, target: Image, encoding: Sense) -> Tensor:
        """Return the distance of an image from its target."""
        return centered_fft(encoding.coil_maps * (image - target).unsqueeze(-3)).abs().mean()


class NormalisedL1L2(Settings):
    """||x - t||_2 / ||t||_2 + ||x - t||_1 / ||t||_1 (Yaman 2020, doi:10.1002/mrm.28378)."""

    kind: Literal["normalised-l1-l2"] = "normalised-l1-l2"
    of: Part = "complex"

    def __call__(self, image: Image, target: Image, encoding: Sense) -> Tensor:
        """Return the distance of an image from its target."""
        return normalised_l1_l2(_part(image, self.of), _part(target, self.of))


class LogError(Settings):
    """Logarithm of the root mean square of x - t: minus the peak signal-to-noise ratio, in nepers, but for a constant.

    Halving a small error counts as much as halving a large one, so that scans of little noise and low acceleration,
    whose errors are small from the start, are not neglected.
    """

    kind: Literal["log-error"] = "log-error"
    of: Part = "complex"

    def __call__(self, image: Image, target: Image, encoding: Sense) -> Tensor:
        """Return the distance of an image from its target."""
        error = (_part(image, self.of) - _part(target, self.of)).abs().square().mean()
        return error.clamp(min=torch.finfo(error.dtype).tiny).log() / 2


class StructuralSimilarity(Settings):
    """1 - SSIM of the magnitudes, in Gaussian windows (Wang 2004, doi:10.1109/TIP.2003.819861; by torchmetrics)."""

    kind: Literal["structural-similarity"] = "structural-similarity"

    def __call__(self, image: Image, target: Image, encoding: Sense) -> Tensor:
        """Return the dissimilarity of an image and its target, whose largest magnitude is the data range."""
        from torchmetrics.functional.image import structural_similarity_index_measure  # noqa: PLC0415

        x, t = (i.abs().reshape(-1, 1, *i.shape[-2:]) for i in (image, target))
        similarity = structural_similarity_index_measure(x, t, data_range=float(t.detach().max()))
        assert isinstance(similarity, Tensor)
        return 1 - similarity


SingleLoss = Annotated[
    ComplexL1 | KSpaceL1 | NormalisedL1L2 | LogError | StructuralSimilarity, Field(discriminator="kind")
]


class Term(Settings):
    """A loss and its weight in a sum."""

    weight: float = Field(1.0, gt=0, description="Factor of the loss")
    loss: SingleLoss = ComplexL1()


class WeightedSum(Settings):
    """Sum of losses, each with a weight (Zhao 2017, doi:10.1109/TCI.2016.2644865, mix L1 and similarity)."""

    kind: Literal["weighted-sum"] = "weighted-sum"
    terms: tuple[Term, ...] = Field((Term(), Term(weight=0.1, loss=StructuralSimilarity())), min_length=1)

    def __call__(self, image: Image, target: Image, encoding: Sense) -> Tensor:
        """Return the distance of an image from its target."""
        return torch.stack([term.weight * term.loss(image, target, encoding) for term in self.terms]).sum()


Loss = Annotated[
    ComplexL1 | KSpaceL1 | NormalisedL1L2 | LogError | StructuralSimilarity | WeightedSum, Field(discriminator="kind")
]
"""How far an image is from its target: called with (image, target, encoding), it returns a scalar."""


def normalised_l1_l2(estimate: Tensor, reference: Tensor) -> Tensor:
    """Return ||e - r||_2 / ||r||_2 + ||e - r||_1 / ||r||_1 of arrays of any shape."""
    difference = estimate - reference
    return _ratio(difference, reference, 2) + _ratio(difference, reference, 1)


def _ratio(difference: Tensor, reference: Tensor, order: int) -> Tensor:
    size = torch.linalg.vector_norm(reference, order)
    return torch.linalg.vector_norm(difference, order) / size.clamp(min=torch.finfo(size.dtype).tiny)


def _part(image: Image, part: Part) -> Tensor:
    return image if part == "complex" else image.abs()
