"""How many pilots a plan is worth, and how much they promise."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from mri_noise.arrays import Mask
from mri_noise.variance.lattice.bundles import Bundle, draw_bundles
from mri_noise.variance.lattice.search import n_aliases
from mri_noise.variance.plan import Plan

ALIKE = 24.0
"""Voxels whose errors are alike, such that about 95 % of errors are within their bounds (``docs/estimators.md``)."""
_SHARE = 0.05
"""Products of the pilots per product of the map, at least."""
_MANY = 4.0
"""Times a side of the image: lines alias over at most 1.4, Poisson discs and random points over 17 and more."""


_B = TypeVar("_B")
_P = TypeVar("_P", bound=Plan | None)


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
    return Trust(12, 1.03) if n_aliases(mask) > _MANY * max(mask.shape) else Trust(24, 1.08)


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
    return plan_by_bundles(voxels, compute, choose, n_first=bisect_left(n_pilots, n_first) + 1, share=_SHARE)
