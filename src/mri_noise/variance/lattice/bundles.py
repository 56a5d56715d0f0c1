"""Bundles of pilots: rows of several voxels from one product, and what they say of each displacement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from mri_noise.arrays import Image, Mask
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.control_variates.controls import Controls
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.rows import random_voxels


@dataclass(frozen=True, slots=True)
class Spacing:
    """How close the voxels of a bundle are.

    Attributes
    ----------
    apart
        Least difference of two of them in rows, and in columns.
    distance
        Least difference of two of them in the one of these that is larger.
    most
        Largest number of voxels.
    """

    apart: int
    distance: int
    most: int

    def bundles(
        self, voxels: Int[Tensor, "voxels 2"], *, at_most: int | None = None, period: Sequence[int] | None = None
    ) -> list[Int[Tensor, "_ 2"]]:
        """Put voxels into bundles, each into the first that it fits into, in an image that may be periodic."""
        bundles: list[Int[Tensor, "_ 2"]] = []
        while len(voxels) > 0 and len(bundles) != at_most:
            chosen = self._first_fit(voxels, period)
            bundles.append(voxels[chosen])
            voxels = voxels[~chosen]
        return bundles

    def _first_fit(self, voxels: Int[Tensor, "voxels 2"], period: Sequence[int] | None) -> Bool[Tensor, " voxels"]:
        """Which of some voxels make a bundle: each that fits to those before it."""
        chosen, free = torch.zeros(2, len(voxels), dtype=torch.bool)
        free |= True
        while bool(free.any()) and int(chosen.sum()) < self.most:
            first = int(free.nonzero()[0])
            chosen[first] = True
            difference = (voxels - voxels[first]).abs()
            if period is not None:
                difference = torch.minimum(difference, torch.tensor(period) - difference)
            free &= (difference.amin(1) >= self.apart) & (difference.amax(1) >= self.distance) & ~chosen
        return chosen


ROWS = Spacing(apart=10, distance=10, most=6)
"""For rows of covariances: ghosts lie in the same rows or columns."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one product says of the covariances of several voxels with every other.

    Attributes
    ----------
    voxels : shape (voxels, 2)
        As (row, column).
    variance : shape (voxels,), in the image's units squared
        Of each voxel, up to its covariances with the others of the bundle, which are far away.
    energy : shape (rows, columns)
        Their squared covariances with each voxel of the image: of expectation the sum over the bundle.
    unexplained : shape (voxels,)
        Share of the variance of each voxel that control variates of its own leave; one where there are none.
    """

    voxels: Int[Tensor, "_ 2"]
    variance: Float[Tensor, "_"]
    energy: Float[Tensor, "rows columns"]
    unexplained: Float[Tensor, "_"]


def draw_bundles(
    region: Mask, n_bundles: int, generator: torch.Generator, spacing: Spacing = ROWS
) -> list[Int[Tensor, "_ 2"]]:
    """Draw random voxels of a region in bundles, those of a bundle apart from each other.

    Fewer bundles, or smaller ones, where the region is small.

    Raises
    ------
    ValueError
        If the region is empty.
    """
    return spacing.bundles(random_voxels(region, region.numel(), generator), at_most=n_bundles)


def compute_bundles(
    operator: LinearOperator,
    image: Image,
    voxels: Sequence[Int[Tensor, "_ 2"]],
    generator: torch.Generator,
    *,
    chunk: int,
    controls: Controls | None = None,
) -> list[Bundle]:
    """Rows K_k. of the covariance of the magnitude, summed with random signs: an adjoint and a forward product each."""
    signs = [2.0 * torch.randint(0, 2, (len(each),), generator=generator) - 1 for each in voxels]
    bundles = []
    products = _products(operator, image, voxels, signs, controls, chunk=chunk)
    for each, sign, (product, explained) in zip(voxels, signs, products, strict=True):
        row = product.real.double() / 2
        variance = (sign * row[each[:, 0], each[:, 1]]).clamp_min(0)
        bundles.append(Bundle(each, variance, row.square(), unexplained(explained, variance)))
    return bundles


def compute_complex_bundles(
    operator: LinearOperator,
    image: Image,
    voxels: Sequence[Int[Tensor, "_ 2"]],
    generator: torch.Generator,
    *,
    chunk: int,
    controls: Controls | None = None,
) -> list[Bundle]:
    """The same for the complex image, with random quarters i^n: the energy is (|C_kj|^2 + |Gamma_kj|^2) / 4.

    That is what a pair of probes in quadrature has as its squared error for each voxel j of the same colour.
    """
    quarters = torch.tensor([1, 1j, -1, -1j])
    turns = [quarters[torch.randint(0, 4, (len(each),), generator=generator)] for each in voxels]
    bundles = []
    products = _products(operator, image, voxels, turns, controls, chunk=chunk)
    for each, turn, (product, explained) in zip(voxels, turns, products, strict=True):
        row = product.to(torch.complex128)
        variance = (turn.conj() * row[each[:, 0], each[:, 1]]).real.clamp_min(0)
        bundles.append(Bundle(each, variance, row.abs().square() / 4, unexplained(2 * explained, variance)))
    return bundles


def _products(
    operator: LinearOperator,
    image: Image,
    voxels: Sequence[Int[Tensor, "_ 2"]],
    factors: Sequence[Tensor],
    controls: Controls | None,
    *,
    chunk: int,
) -> Iterator[tuple[Complex[Tensor, "rows columns"], Float[Tensor, "_"]]]:
    """Of each bundle, on the CPU: exp(-i phi) B B^T w for w = sum_k f_k exp(i phi_k) e_k, and what is explained.

    The latter is, of the variance of Re(conj(w_k) x_k) of each voxel k, what its controls explain.
    """
    phase = unit_phase(image)
    for start in range(0, len(voxels), chunk):
        part = slice(start, start + chunk)
        weights = torch.stack(
            [summed_voxels(phase, each, factor) for each, factor in zip(voxels[part], factors[part], strict=True)]
        )
        white = operator.adjoint(weights)
        products = (phase.conj() * operator(white)).cpu()
        for each, white_of_one, product in zip(voxels[part], white, products, strict=True):
            explained = torch.zeros(len(each), dtype=torch.float64)
            if controls is not None:
                explained = controls.explained(controls.zero_filled(white_of_one), each)
            yield product, explained


def unexplained(explained: Float[Tensor, "*_"], variance: Float[Tensor, "*_"]) -> Float[Tensor, "*_"]:
    """The share of variances that is left of them."""
    return (1 - torch.where(variance > 0, explained / variance, 0)).clamp(0, 1)


def summed_voxels(phase: Image, voxels: Int[Tensor, "_ 2"], factors: Tensor) -> Image:
    """sum_k f_k exp(i phi_k) e_k over the voxels k of a bundle."""
    y, x = voxels[:, 0], voxels[:, 1]
    weights = torch.zeros_like(phase)
    weights[y, x] = factors.to(phase) * phase[y, x]
    return weights
