"""What is probed for the accuracy that is asked for, and with which products."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.budget import Budget
from mri_noise.variance.calibration import (
    ALIKE_IN_A_SKETCH,
    ALIKE_ON_A_LATTICE,
    LEAST_SAVING_OF_PAIRS,
    MARGIN_OF_MEASURED_ERRORS,
    SAMPLES_BEFORE_THE_FIRST_FIT,
)
from mri_noise.variance.lattice.adjoint_only import AdjointProducts, Products
from mri_noise.variance.lattice.bundles import Bundle, compute_bundles, plan_by_rows, trust_under
from mri_noise.variance.lattice.choice import Demand, lattices_for, or_forward_products, scatter_bound
from mri_noise.variance.lattice.choice import choose as choose_lattice
from mri_noise.variance.lattice.density import bundled_density
from mri_noise.variance.lattice.directions import Directions, Task
from mri_noise.variance.lattice.forward_products import share_of_bundles
from mri_noise.variance.lattice.overlap import plan_by_kernels
from mri_noise.variance.lattice.probes import BothProducts
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Plan


@dataclass(frozen=True, eq=False)
class Planned:
    """A plan, what it is probed with, and the evaluations that this run has spent on it."""

    plan: Plan
    products: Products
    n_evaluations: int


def refusal(point: OperatingPoint) -> str | None:
    """Why no lattice can be probed at a point, in one sentence; None if one can."""
    if point.encoding.point_spread is not None:
        return None
    return "lattice probing is for k-space on a Cartesian grid, whose ghosts it avoids; set variance.kind to sketch"


def planned(task: Task, point: OperatingPoint, generator: torch.Generator, plan: Plan | None, *, chunk: int) -> Planned:
    """Take the plan that is given, or choose: by kernels where adjoint products may do alone, else by rows.

    Raises
    ------
    ValueError
        If the object is empty, or k-space is not on a Cartesian grid.
    """
    refused = refusal(point)
    if refused is not None:
        raise ValueError(refused)
    if plan is not None:
        return Planned(plan, _products(point, plan, chunk), 0)
    n_before = 0
    if point.image_domain is not None:
        adjoint = AdjointProducts.of(point, point.image_domain, chunk=chunk)
        found, n_before = plan_by_kernels(
            adjoint, point.direction, point.object, generator, task, controls=point.controls
        )
        if found is not None:
            return Planned(found, _products(point, found, chunk) if found.reach is None else adjoint, n_before)
    both = BothProducts.of(point, chunk=chunk)
    found = plan_with(both.operator, task, point, generator, chunk=chunk, n_before=n_before)
    return Planned(found, both, found.n_evaluations)


def _products(point: OperatingPoint, plan: Plan, chunk: int) -> Products:
    """What a plan is probed with."""
    if plan.reach is None or point.image_domain is None:
        return BothProducts.of(point, chunk=chunk)
    return AdjointProducts.of(point, point.image_domain, chunk=chunk)


def plan_with(
    operator: LinearOperator,
    task: Task,
    point: OperatingPoint,
    generator: torch.Generator,
    *,
    chunk: int,
    n_before: int = 0,
) -> Plan:
    """Choose by rows of pilots, which take at most half of the evaluations that are left after ``n_before``."""
    return plan_by_rows(
        point.object,
        generator,
        lambda voxels: compute_bundles(
            operator,
            point.direction,
            voxels,
            generator,
            directions=task.directions,
            chunk=chunk,
            controls=point.controls,
        ),
        lambda bundles: choose(task, bundles, point, n_before=n_before),
        n_first=trust_under(point.noise_shaping.mask).n_first,
        n_bundles=task.n_bundles,
        n_left=task.max_evaluations - n_before,
    )


def choose(task: Task, bundles: Sequence[Bundle], point: OperatingPoint, *, n_before: int = 0) -> Plan:
    """Choose the cheapest plan that rows of some voxels predict to be accurate enough."""
    n_channels, n_voxels = task.directions.n, int(point.object.sum())
    n_evaluations = n_before + 2 * len(bundles)
    most = task.max_evaluations - n_evaluations
    trust = trust_under(point.noise_shaping.mask)
    density = trust.optimism**2 * bundled_density(bundles, point.object)
    best = lattices_for(density, point.noise_shaping.mask, most // (2 * n_channels))
    share = share_of_bundles(bundles)

    def plan_within(target: float, n_left: int) -> Plan:
        demand = Demand(
            target=target,
            bound=_bound(task.directions, n_voxels),
            n_signs=task.n_signs,
            largest_product=n_left // (2 * n_channels),
            n_pilots=sum(len(bundle.voxels) for bundle in bundles),
            n_evaluations=n_evaluations,
        )
        return or_forward_products(
            choose_lattice(best, demand),
            n_channels=n_channels,
            n_voxels=n_voxels,
            max_evaluations=n_left,
            least_saving=LEAST_SAVING_OF_PAIRS if n_channels == 2 else 0.0,
            share=share,
            n_least=SAMPLES_BEFORE_THE_FIRST_FIT,
        )

    bound = scatter_bound(n_voxels, ALIKE_IN_A_SKETCH)
    plan = Budget(task.target, most, task.excess, task.directions.channels[-1], bound).cheapest(plan_within)
    assert plan is not None  # no plan of rows is refused
    return plan


def _bound(directions: Directions, n_voxels: int) -> float:
    """Of an error in units of its prediction: its scatter, or where pairs measure it how well these do."""
    return MARGIN_OF_MEASURED_ERRORS if directions.n == 2 else scatter_bound(n_voxels, ALIKE_ON_A_LATTICE)
