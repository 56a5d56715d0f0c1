"""Which lattice to probe, and how many signs to draw, for the accuracy that is asked for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int
from scipy import ndimage
from torch import Tensor

from mri_noise.arrays import Image, Mask, RealMap
from mri_noise.variance.lattice import Density, Lattice, ScoredLattice, best_lattices, ghosts

_LARGEST_INDEX = 2048
_ALIKE = 5.5
"""Voxels whose errors in a row-norm sketch are alike: fewer in every case of ``docs/estimators.md``."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A lattice to probe; or forward products alone, where every lattice would take more evaluations.

    Attributes
    ----------
    lattice
        None: forward products of random probes, the row-norm sketch.
    n_signs
        Independent sets of random signs; without a lattice, forward products.
    nrmse
        Predicted root mean square error of the std map over its root mean square, in the object: of the magnitude, or
        for quadrature pairs of the complex image.
    upper_bound
        95 % bound of that error: a multiple of the prediction, since pilots are few and the errors of a map scatter.
        Without a lattice the prediction is a law of sampling, and the bound that of its scatter over the voxels of the
        object.
    n_pilots
        Rows that the prediction comes from.
    target
        NRMSE that was asked for.
    n_evaluations
        Network-sized passes that the choice took, pilots in vain included.
    reach
        Where adjoint products alone are enough (:mod:`mri_noise.variance.kernels`): the distance along an axis beyond
        which covariances of the zero-filled image are left out. None: a probe of a lattice takes a forward product too.
    """

    lattice: Lattice | None
    n_signs: int
    nrmse: float
    upper_bound: float
    n_pilots: int
    target: float
    n_evaluations: int
    reach: int | None = None

    @property
    def reaches_target(self) -> bool:
        """Whether the 95 % bound is within the target."""
        return self.upper_bound <= self.target * (1 + 1e-9)

    @property
    def n_products(self) -> int:
        """Probes of a lattice; forward products without one."""
        return self.n_signs if self.lattice is None else self.n_signs * self.lattice.index

    @property
    def evaluations_per_product(self) -> int:
        """Two for an adjoint and a forward product, one for either alone."""
        return 1 if self.lattice is None or self.reach is not None else 2

    def colours(self, image: Image | RealMap) -> Int[Tensor, "rows columns"]:
        """Which probe of the lattice holds each voxel of an image.

        Raises
        ------
        ValueError
            If there is no lattice.
        """
        if self.lattice is None:
            raise ValueError("this plan has no lattice; plan with the method that is to probe one")
        return self.lattice.colours((image.shape[0], image.shape[1]))

    @property
    def words(self) -> str:
        """What is done."""
        if self.lattice is None:
            return f"{self.n_signs} forward products: fewer evaluations than the lattices that are accurate enough"
        steps = f"{self.lattice.row_step}, {self.lattice.column_step}, {self.lattice.shift}"
        products = "" if self.reach is None else ", adjoint products alone"
        return f"lattice {steps} of {self.lattice.index} colours, {self.n_signs} x random signs{products}"


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


def plan_for(density: Density, mask: Mask, demand: Demand) -> Plan:
    """Choose by the error density of some pilots, among lattices that hold no ghost of a sampling mask."""
    largest_index = min(demand.largest_product, _LARGEST_INDEX)
    return choose(best_lattices(smoothed(density), ghosts(mask), largest_index=largest_index), demand)


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
    bound = scatter_bound(n_voxels, _ALIKE)
    alone = math.ceil(bound**2 / (2 * n_channels * plan.target**2) - 1e-9)
    n_forward = min(alone, max(math.ceil(share * alone), n_least), max_evaluations)
    nrmse = math.sqrt((share if n_forward >= n_least else 1) / (2 * n_channels * n_forward))
    sketch = replace(plan, lattice=None, reach=None, n_signs=n_forward, nrmse=nrmse, upper_bound=bound * nrmse)
    if plan.reaches_target:
        most = (1 - least_saving) * n_forward
        of_lattice = n_channels * plan.evaluations_per_product * plan.n_products
        return sketch if sketch.reaches_target and most < of_lattice else plan
    return sketch if sketch.reaches_target or sketch.upper_bound < plan.upper_bound else plan
