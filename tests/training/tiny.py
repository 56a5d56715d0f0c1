"""Tiny examples in double precision, and networks whose answers are known."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mri_noise.operators.cartesian import Sense
from mri_noise.recon.linear import ZeroFilled
from mri_noise.training.example import Example
from tests.problems import equispaced, smooth_maps


def tiny_example(
    rows: int = 12,
    columns: int = 15,
    n_coils: int = 3,
    mask: Tensor | None = None,
    *,
    noise_level: float = 0.0,
    seed: int = 0,
) -> Example:
    """An image of random complex pixels with no symmetry, its samples, and white noise on them."""
    generator = torch.Generator().manual_seed(seed)
    if mask is None:
        mask = equispaced(rows, columns, 2, 4)
    encoding = Sense(smooth_maps(n_coils, rows, columns, torch.complex128), mask)
    target = torch.randn(rows, columns, generator=generator, dtype=torch.complex128)
    noise = torch.randn(encoding.out_shape, generator=generator, dtype=torch.complex128)
    kspace = encoding(target) + noise_level * noise * mask
    return Example(kspace, mask, encoding.coil_maps, target, noise_level, seed)


def fully_sampled(rows: int, columns: int) -> Tensor:
    return torch.ones(rows, columns, dtype=torch.bool)


def random_points(rows: int, columns: int, seed: int = 0) -> Tensor:
    """Half of all points, and the centre."""
    mask = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[rows // 2, columns // 2] = True
    return mask


exact = ZeroFilled()()
"""A linear reconstruction that is exact for fully sampled data without noise."""


def scaled_by(factor: Tensor) -> Callable[[Tensor, Sense], Tensor]:
    """A network of one weight: the zero-filled image times a factor."""
    return lambda kspace, encoding: factor * exact(kspace, encoding)


@dataclass
class Recorder:
    """A network that keeps what it was given and what it returned."""

    network: Callable[[Tensor, Sense], Tensor] = exact
    kspaces: list[Tensor] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)
    images: list[Tensor] = field(default_factory=list)

    def __call__(self, kspace: Tensor, encoding: Sense) -> Tensor:
        self.kspaces.append(kspace)
        self.masks.append(encoding.mask)
        self.images.append(self.network(kspace, encoding))
        return self.images[-1]
