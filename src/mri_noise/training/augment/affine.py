"""Rotation by any angle, scaling, shear and shift of the image."""

import math
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import CoilMaps
from mri_noise.operators.cartesian import Sense
from mri_noise.training.augment.augmentation import Augmentation, uniform
from mri_noise.training.augment.interpolation import resampled
from mri_noise.training.example import Example


class Affine(Augmentation):
    """A random affine map T of the image about its centre, with pixels taken as square; the schedule scales it.

    The samples of an undersampled scan do not determine those of the moved object, so they are predicted from the
    target x (in consistency training the reconstruction): y' = A(T S) T x + (y - A(S) x), at the same sampled points.
    What y holds beyond A x, above all its noise, is kept as it is. Exact whatever T: the moved target explains y' as
    well as x explains y, y' = y if T is the identity, and y' = A(T S) T x where y = A x. Interpolated are T x and T S
    (:func:`mri_noise.training.augment.interpolation.resampled`), the latter scaled back to a sum of squares of one.

    Source: the equivariant transforms of Desai 2022, doi:10.48550/arXiv.2111.02549; the prediction of k-space from
    the reconstruction follows Chen 2021, doi:10.1109/ICCV48922.2021.00434.
    """

    kind: Literal["affine"] = "affine"
    rotation: float = Field(20.0, ge=0, le=180, description="Largest angle [degrees]")
    translation: float = Field(0.1, ge=0, le=0.5, description="Largest shift along each axis, as a share of its size")
    scaling: float = Field(1.2, ge=1, le=2, description="Largest magnification; the smallest is its inverse")
    shear: float = Field(10.0, ge=0, le=45, description="Largest angle between an axis and where it goes [degrees]")

    def __call__(self, example: Example, strength: float, generator: torch.Generator) -> Example:
        """Return the example of the moved image; ValueError if it has no target."""
        matrix = self._matrix(strength, generator)
        reach = strength * self.translation
        shift = torch.tensor([n * uniform(-reach, reach, generator) for n in example.mask.shape], dtype=torch.float64)
        return moved(example, torch.linalg.inv(matrix), -shift)

    def _matrix(self, strength: float, generator: torch.Generator) -> Tensor:
        """Draw magnification times rotation times shear, of (row, column)."""
        angle, shear = (
            math.radians(uniform(-strength * largest, strength * largest, generator))
            for largest in (self.rotation, self.shear)
        )
        size = self.scaling ** uniform(-strength, strength, generator)
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return size * turn.double() @ torch.tensor([[1.0, math.tan(shear)], [0.0, 1.0]], dtype=torch.float64)


def moved(example: Example, matrix: Tensor, shift: Tensor) -> Example:
    """Move the image so that each pixel comes from where ``resampled`` says; ValueError if there is no target."""
    if example.target is None:
        raise ValueError("an affine augmentation predicts k-space from a target, and this example has none; give one")
    target = resampled(example.target, matrix, shift)
    coil_maps = _unit(resampled(example.coil_maps, matrix, shift))
    residual = example.kspace - example.encoding(example.target)
    kspace = Sense(coil_maps, example.mask)(target) + residual
    return replace(example, kspace=kspace, coil_maps=coil_maps, target=target)


def _unit(coil_maps: CoilMaps) -> CoilMaps:
    size = torch.linalg.vector_norm(coil_maps, dim=0)
    return torch.where(size > 0, coil_maps / torch.where(size > 0, size, 1), 0)
