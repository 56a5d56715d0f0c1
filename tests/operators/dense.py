"""An encoding without structure: any matrix, on a grid of any number of spatial axes."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mri_noise.operators.encoding import Encoding
from mri_noise.operators.linop import Shape


@dataclass(frozen=True, eq=False)
class DenseEncoding(Encoding):
    """A x = E x for a matrix E of shape (coils * samples, voxels); k-space of shape (coils, *samples)."""

    matrix: Tensor
    shape: Shape
    kspace_shape: Shape

    @property
    def grid(self) -> Shape:
        return self.shape

    @property
    def in_shape(self) -> Shape:
        return self.shape

    @property
    def out_shape(self) -> Shape:
        return self.kspace_shape

    @property
    def sampled(self) -> Tensor:
        return torch.ones(self.kspace_shape[1:], dtype=torch.bool)

    @property
    def coil_power(self) -> Tensor:
        return self.matrix.abs().square().sum(0).reshape(self.shape)

    def _apply(self, x: Tensor) -> Tensor:
        return (x.flatten(-len(self.shape)) @ self.matrix.mT).unflatten(-1, self.kspace_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        return (y.flatten(-len(self.kspace_shape)) @ self.matrix.conj()).unflatten(-1, self.shape)

    def normal(self, x: Tensor) -> Tensor:
        return self._adjoint(self._apply(x))


def dense_encoding(grid: Shape, kspace_shape: Shape, seed: int = 0) -> DenseEncoding:
    """A random matrix whose columns have a length of about one."""
    n_samples, generator = math.prod(kspace_shape), torch.Generator().manual_seed(seed)
    matrix = torch.randn(n_samples, math.prod(grid), generator=generator, dtype=torch.complex128)
    return DenseEncoding(matrix / n_samples**0.5, grid, kspace_shape)
