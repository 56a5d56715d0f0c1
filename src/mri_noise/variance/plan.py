"""Which lattice to probe, and how many signs to draw, for the accuracy that is asked for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mri_noise.arrays import Mask
from mri_noise.variance.lattice import Density, Lattice, ScoredLattice, best_lattices, ghosts

_LARGEST_INDEX = 512
_BOUND = 1 / 0.8


@dataclass(frozen=True, slots=True)
class Plan:
    """A lattice to probe.

    Attributes
    ----------
    lattice
    n_signs
        Independent sets of random signs.
    nrmse
        Predicted root mean square error of the std map over its root mean square, in the object: of the magnitude, or
        for quadrature pairs of the complex image.
    upper_bound
        Bound of that error: 1.25 times the prediction. The lattice that looks best in a few pilot rows is worse in the
        others: over 20 draws of 16 pilots in 8 cases, 95 % of the errors were below it. ``docs/estimators.md`` says
        where it is exceeded: at 1 %, and where few voxels hold much of the variance.
    n_pilots
        Rows that the prediction comes from.
    target
        NRMSE that was asked for.
    reach
        Where adjoint products alone are enough (:mod:`mri_noise.variance.kernels`): the distance along an axis beyond
        which covariances of the zero-filled image are left out. None: a probe takes a forward product too.
    """

    lattice: Lattice
    n_signs: int
    nrmse: float
    upper_bound: float
    n_pilots: int
    target: float
    reach: int | None = None

    @property
    def n_products(self) -> int:
        """Network-sized passes that a probe takes, or a pilot: an adjoint product, and a forward one."""
        return 2 if self.reach is None else 1

    @property
    def reaches_target(self) -> bool:
        """Whether the 95 % bound is within the target."""
        return self.upper_bound <= self.target * (1 + 1e-9)


def smoothed(density: Density) -> Density:
    """Half the density and half its binomial average over neighbouring displacements, the origin left out.

    A few rows do not know the density at each displacement; its average over neighbours they do.
    """
    density = density.copy()
    density[density.shape[0] // 2, density.shape[1] // 2] = 0
    symmetric = (density + density[::-1, ::-1]) / 2
    kernel = np.array([0.25, 0.5, 0.25])
    average = ndimage.convolve1d(ndimage.convolve1d(symmetric, kernel, 0, mode="constant"), kernel, 1, mode="constant")
    blended: Density = (symmetric + average) / 2
    blended[density.shape[0] // 2, density.shape[1] // 2] = 0
    return blended


def plan_for(density: Density, mask: Mask, *, target: float, n_signs: int, largest_product: int, n_pilots: int) -> Plan:
    """Choose by the error density of some pilots, among lattices that hold no ghost of a sampling mask.

    The other parameters are those of :func:`choose`.
    """
    largest_index = min(largest_product, _LARGEST_INDEX)
    best = best_lattices(smoothed(density), ghosts(mask), largest_index=largest_index)
    return choose(best, target=target, n_signs=n_signs, largest_product=largest_product, n_pilots=n_pilots)


def choose(
    best: Mapping[int, ScoredLattice], *, target: float, n_signs: int, largest_product: int, n_pilots: int
) -> Plan:
    """Choose the cheapest lattice and number of signs whose 95 % bound is within the target.

    The squared error falls with the number of sign sets; the probes of a plan are index times sets. If none of at most
    ``largest_product`` probes is accurate enough, the most accurate one is chosen.

    Parameters
    ----------
    best
        For each index the lattice whose score, the squared NRMSE of one sign set, is least.
    target
        NRMSE of the std map.
    n_signs
        Least number of sign sets.
    largest_product
        Largest number of probes.
    n_pilots
        Rows that the scores come from.
    """
    plans = []
    for index, scored in best.items():
        wanted = math.ceil(max(scored.score, 0.0) * (_BOUND / target) ** 2 - 1e-9)
        sets = min(max(n_signs, wanted), largest_product // index)
        if sets >= 1:
            nrmse = math.sqrt(max(scored.score, 0.0) / sets)
            plans.append(Plan(scored.lattice, sets, nrmse, _BOUND * nrmse, n_pilots, target))
    if not plans:
        raise ValueError(
            f"no lattice has at most {largest_product} probes and avoids the ghosts of this mask; "
            "raise variance.max_evaluations"
        )
    enough = [plan for plan in plans if plan.reaches_target]
    if enough:
        return min(enough, key=lambda plan: (plan.lattice.index * plan.n_signs, plan.nrmse))
    return min(plans, key=lambda plan: plan.nrmse)
