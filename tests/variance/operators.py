"""Real-linear operators without structure, and images for them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mri_noise.operators.linop import LinearOperator, Shape


@dataclass(frozen=True, eq=False)
class Dense(LinearOperator):
    """B v = P v + Q conj(v), for matrices of shape (voxels of the image, size of the noise)."""

    p: Tensor
    q: Tensor
    shape: tuple[int, int]

    @property
    def in_shape(self) -> Shape:
        return (self.p.shape[1],)

    @property
    def out_shape(self) -> Shape:
        return self.shape

    def _apply(self, x: Tensor) -> Tensor:
        return (x @ self.p.mT + x.conj() @ self.q.mT).unflatten(-1, self.shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        flat = y.flatten(-2)
        return flat @ self.p.conj() + flat.conj() @ self.q

    def magnitude_covariance(self, image: Tensor) -> Tensor:
        """Covariance of the magnitudes of all voxels: 1/2 Re(exp(-i phi_i) (C exp(i phi) + Gamma exp(-i phi)))."""
        phase = torch.sgn(image).flatten()
        c = self.p @ self.p.mH + self.q @ self.q.mH
        g = self.p @ self.q.mT + self.q @ self.p.mT
        return (phase.conj()[:, None] * (c * phase + g * phase.conj())).real / 2


def random_operator(rows: int, columns: int, generator: torch.Generator) -> tuple[Dense, Tensor]:
    """A real-linear operator, and an image with a phase everywhere."""
    size = (rows * columns, rows * columns + 3)
    p, q = (torch.randn(size, generator=generator, dtype=torch.complex128) for _ in range(2))
    gains = 0.3 + torch.rand(size[0], 1, generator=generator, dtype=torch.float64)
    image = torch.randn(rows, columns, generator=generator, dtype=torch.complex128)
    return Dense(gains * p, 0.4 * gains * q, (rows, columns)), image


def random_region(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Some voxels, at least one."""
    region = torch.rand(rows, columns, generator=generator) > 0.4
    region[rows // 2, columns // 2] = True
    return region


@dataclass(frozen=True, eq=False)
class Counting(LinearOperator):
    """An operator that notes the number of products of each call."""

    operator: LinearOperator
    products: list[int]

    @property
    def in_shape(self) -> Shape:
        return self.operator.in_shape

    @property
    def out_shape(self) -> Shape:
        return self.operator.out_shape

    def _apply(self, x: Tensor) -> Tensor:
        self.products.append(x.numel() // math.prod(self.in_shape))
        return self.operator(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        self.products.append(y.numel() // math.prod(self.out_shape))
        return self.operator.adjoint(y)
