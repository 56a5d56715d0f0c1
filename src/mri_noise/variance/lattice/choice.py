"""Which lattice to probe, and how many signs to draw, for the accuracy that is asked for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from mri_noise.arrays import Mask
from mri_noise.variance.calibration import ALIKE_IN_A_SKETCH
from mri_noise.variance.lattice.search import Density, ScoredLattice, best_lattices, ghosts
from mri_noise.variance.plan import Lattice, Plan

_LARGEST_INDEX = 2048


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


@dataclass(frozen=True, slots=True)
class Demand:
    """What plans have to keep to, and what they are chosen by.

    Attributes
    ----------
    target
        NRMSE of the std map.
    bound
        95 % bound of an error, in multiples of its prediction.
    n_signs
        Least number of sign sets.
    largest_product
        Largest number of probes.
    n_pilots
        Rows that the predictions come from.
    n_evaluations
        Network-sized passes so far.
    """

    target: float
    bound: float
    n_signs: int
    largest_product: int
    n_pilots: int
    n_evaluations: int

    def plan(self, lattice: Lattice, n_signs: int, nrmse: float) -> Plan:
        """A lattice, how often it is probed, and the error that is predicted."""
        return Plan(lattice, n_signs, nrmse, self.bound * nrmse, self.n_pilots, self.target, self.n_evaluations)


def lattices_for(density: Density, mask: Mask, largest_product: int) -> Mapping[int, ScoredLattice]:
    """The best lattice of each index, by the error density of some pilots, that holds no ghost of a sampling mask."""
    return best_lattices(smoothed(density), ghosts(mask), largest_index=min(largest_product, _LARGEST_INDEX))


def choose(best: Mapping[int, ScoredLattice], demand: Demand) -> Plan:
    """Choose the cheapest lattice and number of signs whose 95 % bound is within the target.

    The squared error falls with the number of sign sets; the probes of a plan are index times sets. If none of as many
    probes as allowed is accurate enough, the most accurate one is chosen.

    Parameters
    ----------
    best
        For each index the lattice whose score, the squared NRMSE of one sign set, is least.
    demand

    Raises
    ------
    ValueError
        If no lattice has as few probes as allowed.
    """
    plans = []
    for index, scored in best.items():
        wanted = math.ceil(max(scored.score, 0.0) * (demand.bound / demand.target) ** 2 - 1e-9)
        sets = min(max(demand.n_signs, wanted), demand.largest_product // index)
        if sets >= 1:
            plans.append(demand.plan(scored.lattice, sets, math.sqrt(max(scored.score, 0.0) / sets)))
    if not plans:
        raise ValueError(
            f"no lattice has at most {demand.largest_product} probes and avoids the ghosts of this mask; "
            "raise variance.max_evaluations"
        )
    return cheapest(plans)


def cheapest(plans: Sequence[Plan]) -> Plan:
    """The plan of the fewest probes among those within the target; if there is none, the most accurate one."""
    enough = [plan for plan in plans if plan.reaches_target]
    if enough:
        return min(enough, key=lambda plan: (plan.n_products, plan.nrmse))
    return min(plans, key=lambda plan: plan.nrmse)


def scatter_bound(n_voxels: int, alike: float) -> float:
    """95 % bound of the NRMSE of a map over its expectation, where so many voxels at a time err alike."""
    return math.sqrt(1 + 1.645 * math.sqrt(2 * alike / n_voxels))


def or_forward_products(
    plan: Plan,
    *,
    n_channels: int,
    n_voxels: int,
    max_evaluations: int,
    least_saving: float = 0.0,
    share: float = 1.0,
    n_least: int = 1,
) -> Plan:
    """Give up the lattice of a plan where forward products alone are cheaper, or more accurate.

    With one real channel, that of the magnitude, N of them have the squared NRMSE 1 / (2 N), as N replicas of Monte
    Carlo have; with two, of circular noise, 1 / (4 N), and a lattice takes pairs of probes. It scatters by a relative
    sqrt(2 alike / n_voxels), since only a few voxels at a time err alike; N is such that the 95 % bound of that is
    within the target, at most ``max_evaluations``. A lattice has to save such a share of their evaluations.

    From ``n_least`` products on, control variates leave only a ``share`` of the squared error.
    """
    bound = scatter_bound(n_voxels, ALIKE_IN_A_SKETCH)
    alone = math.ceil(bound**2 / (2 * n_channels * plan.target**2) - 1e-9)
    n_forward = min(alone, max(math.ceil(share * alone), n_least), max_evaluations)
    nrmse = math.sqrt((share if n_forward >= n_least else 1) / (2 * n_channels * n_forward))
    sketch = replace(plan, lattice=None, reach=None, n_signs=n_forward, nrmse=nrmse, upper_bound=bound * nrmse)
    if plan.reaches_target:
        most = (1 - least_saving) * n_forward
        of_lattice = n_channels * plan.evaluations_per_product * plan.n_products
        return sketch if sketch.reaches_target and most < of_lattice else plan
    return sketch if sketch.reaches_target or sketch.upper_bound < plan.upper_bound else plan
