"""What a map is asked for: the directions of the complex plane, and how accurate it is to be."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.estimate import Channel, unit_phase

_TURNS = (1, 1j)
_ROOTS: dict[int, tuple[complex, ...]] = {1: (-1.0, 1.0), 2: (1, 1j, -1, -1j)}
"""Factors of modulus one whose products with others have the expectation zero: signs, or quarters."""


@dataclass(frozen=True, slots=True)
class Directions:
    """One direction, along the phase of the image, whose noise is that of the magnitude; or two, with the one across.

    The sum of the variances along the two is the variance of the complex image. Everything that lattice probing does
    once for the magnitude and once for the complex image depends on their number d alone: random factors f are the
    2 d-th roots of unity, and a product says of covariances what is real in it, or all that it is.

    Attributes
    ----------
    n
    """

    n: Literal[1, 2]

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Those whose variance comes of it, the one that the target is for last."""
        return ("magnitude",) if self.n == 1 else ("magnitude", "complex")

    def of(self, image: Image) -> Complex[Tensor, "directions rows columns"]:
        """exp(i phi) of an image, and i exp(i phi)."""
        turns = torch.tensor(_TURNS[: self.n], dtype=image.dtype, device=image.device)
        return unit_phase(image) * turns[:, None, None]

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw random factors f, on the CPU."""
        return torch.tensor(_ROOTS[self.n])[torch.randint(0, 2 * self.n, shape, generator=generator)]

    def row(self, product: Complex[Tensor, "rows columns"]) -> Tensor:
        """What exp(-i phi) B B^T w says of the covariances of a voxel with every other, in double precision.

        For w = exp(i phi_k) e_k that is K_kj of the magnitude, or C_kj + Gamma_kj of the complex image turned by its
        phase.
        """
        wide = product.to(torch.complex128)
        return wide.real / 2 if self.n == 1 else wide

    def squared_error(self, row: Tensor) -> Float[Tensor, "rows columns"]:
        """What a set of probes has as its squared error if it holds voxel k and one other: K^2, or (|C|^2 + |G|^2) / 4.

        The second is that of a pair of probes in quadrature, on average over random quarters.
        """
        return row.abs().square() / self.n**2


MAGNITUDE, COMPLEX = Directions(1), Directions(2)


@dataclass(frozen=True, slots=True)
class Task:
    """What a user asks of a map, whichever of its two methods it comes from.

    Attributes
    ----------
    directions
        Of the magnitude, or of the complex image.
    target
        NRMSE of the std map, of the last of the channels.
    max_evaluations
        Network-sized passes at most.
    n_bundles
        Products of pilots at most, along each direction.
    n_signs
        Least number of sets of random signs.
    excess
        What pairs say beyond the linear part, where the target is of both; None: it is of the linear part.
    """

    directions: Directions
    target: float
    max_evaluations: int
    n_bundles: int
    n_signs: int = 1
    excess: Excess | None = None


def random_signs(shape: tuple[int, ...], generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Draw -1 or 1, on the CPU."""
    return 2.0 * torch.randint(0, 2, shape, generator=generator) - 1
