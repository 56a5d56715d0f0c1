"""Reflections and quarter turns: permutations of pixels that are the same permutations of k-space."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.training.augment.augmentation import Augmentation, uniform
from mri_noise.training.example import Example
from mri_noise.training.geometry import reflected

Permutation = Callable[[Tensor], Tensor]
"""A permutation of the voxels of the last two axes."""


class Symmetry(Augmentation):
    """A random reflection or quarter turn of the image about its centre, index n // 2.

    Each allowed one of two reflections and a transposition is drawn with probability one half; with all three the
    eight symmetries of a square are equally likely. The schedule scales that probability. A transposition also swaps
    the axes that are undersampled, which a network for one kind of scan need not learn.
    """

    kind: Literal["symmetry"] = "symmetry"
    rows: bool = Field(True, description="Reflect the order of the rows")
    columns: bool = Field(True, description="Reflect the order of the columns")
    transpose: bool = Field(False, description="Swap rows and columns, which with reflections makes quarter turns")

    def __call__(self, example: Example, strength: float, generator: torch.Generator) -> Example:
        """Return the example of the reflected or turned image."""
        allowed: list[tuple[bool, Permutation]] = [
            (self.rows, partial(reflected, axis=-2)),
            (self.columns, partial(reflected, axis=-1)),
            (self.transpose, transposed),
        ]
        for wanted, permutation in allowed:
            if wanted and uniform(0.0, 1.0, generator) < strength / 2:
                example = permuted(example, permutation)
        return example


def permuted(example: Example, permutation: Permutation) -> Example:
    """Permute the pixels of an example: A(T S, T M) T = T A(S, M) exactly, if T commutes with the Fourier transform."""
    return replace(
        example,
        kspace=permutation(example.kspace),
        mask=permutation(example.mask),
        coil_maps=permutation(example.coil_maps),
        target=None if example.target is None else permutation(example.target),
    )


def transposed(x: Tensor) -> Tensor:
    """Swap rows and columns, which commutes with the Fourier transform."""
    return x.mT.contiguous()
