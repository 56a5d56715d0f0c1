"""Pilots in bundles: rows of several voxels from one product, how many a plan is worth, and how far to trust them."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from mri_noise.arrays import Image, Mask
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.calibration import (
    ALIASES_OVER_AN_AREA,
    OPTIMISM_ALONG_LINES,
    OPTIMISM_OVER_AN_AREA,
    PILOT_SHARE_OF_ROWS,
    PILOTS_ALONG_LINES,
    PILOTS_OVER_AN_AREA,
    ROWS_APART,
    ROWS_OF_A_BUNDLE,
)
from mri_noise.variance.control_variates.controls import Controls
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.lattice.directions import Directions
from mri_noise.variance.lattice.search import n_aliases
from mri_noise.variance.plan import Plan
from mri_noise.variance.rows import random_voxels

_B = TypeVar("_B")
_P = TypeVar("_P", bound=Plan | None)


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


ROWS = Spacing(apart=ROWS_APART, distance=ROWS_APART, most=ROWS_OF_A_BUNDLE)
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
        Squared errors that they make in each voxel of the image (:meth:`.Directions.squared_error`): of expectation the
        sum over the bundle.
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
    directions: Directions,
    chunk: int,
    controls: Controls | None = None,
) -> list[Bundle]:
    """Sum the rows of covariances of some voxels with random factors: an adjoint and a forward product a bundle."""
    factors = [directions.draw((len(each),), generator) for each in voxels]
    bundles = []
    products = _products(operator, image, voxels, factors, controls, chunk=chunk)
    for each, factor, (product, explained) in zip(voxels, factors, products, strict=True):
        row = directions.row(product)
        variance = (factor.conj() * row[each[:, 0], each[:, 1]]).real.clamp_min(0)
        left = unexplained(directions.n * explained, variance)
        bundles.append(Bundle(each, variance, directions.squared_error(row), left))
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


class Trust(NamedTuple):
    """What pilots are worth under a sampling pattern (``docs/estimators.md``).

    Attributes
    ----------
    n_first
        Pilots before the first plan.
    optimism
        How much worse the lattice that looks best in a few rows is in the others.
    """

    n_first: int
    optimism: float


def trust_under(mask: Mask) -> Trust:
    """Noise that aliases along lines is correlated in few places, which few pilots miss; over an area it is everywhere.

    There, what smoothing adds beside the steep peak of the density makes up for most of the optimism. Lines are told by
    the displacements over which they alias: about as many as a side of the image has voxels, also where a partial echo
    or an ellipse cuts them.
    """
    if n_aliases(mask) > ALIASES_OVER_AN_AREA * max(mask.shape):
        return Trust(PILOTS_OVER_AN_AREA, OPTIMISM_OVER_AN_AREA)
    return Trust(PILOTS_ALONG_LINES, OPTIMISM_ALONG_LINES)


def plan_by_bundles(
    voxels: Sequence[Int[Tensor, "_ 2"]],
    compute: Callable[[Sequence[Int[Tensor, "_ 2"]]], list[_B]],
    choose: Callable[[Sequence[_B]], _P],
    *,
    n_first: int,
    share: float,
) -> _P:
    """Choose by the first bundles of pilots, and by more until they are such a share of the products of the map.

    Where the first show that forward products will do, or that nothing will, they are all.
    """
    bundles: list[_B] = []
    wanted = min(n_first, len(voxels))
    while len(bundles) < wanted:
        bundles += compute(voxels[len(bundles) : wanted])
        plan = choose(bundles)
        if plan is not None and plan.lattice is not None:
            wanted = min(math.ceil(share * plan.n_products), len(voxels))
    return plan


def plan_by_rows(
    region: Mask,
    generator: torch.Generator,
    compute: Callable[[Sequence[Int[Tensor, "_ 2"]]], list[Bundle]],
    choose: Callable[[Sequence[Bundle]], Plan],
    *,
    n_first: int,
    n_bundles: int,
    n_left: int,
) -> Plan:
    """Choose by rows of ``n_first`` pilots, and of more of them until they are a twentieth of the cost.

    They are at most so many bundles, and take at most half of the evaluations that are left.
    """
    voxels = draw_bundles(region, min(n_bundles, n_left // 4), generator)
    n_pilots = list(accumulate(len(bundle) for bundle in voxels))
    return plan_by_bundles(
        voxels, compute, choose, n_first=bisect_left(n_pilots, n_first) + 1, share=PILOT_SHARE_OF_ROWS
    )
