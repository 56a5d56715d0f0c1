"""Which lattice adjoint products alone can probe: how the kernels of its voxels overlap."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal

from mri_noise.arrays import Image, Mask
from mri_noise.variance.budget import Budget
from mri_noise.variance.calibration import (
    ALIKE_IN_A_SKETCH,
    ALIKE_ON_A_LATTICE,
    FIRST_PRODUCTS_OF_KERNELS,
    KERNELS_APART,
    KERNELS_OF_A_BUNDLE,
    OPTIMISM_OF_KERNELS,
    PILOT_SHARE_OF_KERNELS,
    REACHES,
    SAMPLES_BEFORE_THE_FIRST_FIT,
)
from mri_noise.variance.control_variates.controls import Controls
from mri_noise.variance.lattice.adjoint_only import AdjointProducts, Kernels
from mri_noise.variance.lattice.bundles import ROWS, Spacing, draw_bundles, plan_by_bundles, unexplained
from mri_noise.variance.lattice.choice import Demand, cheapest, or_forward_products, scatter_bound, smoothed
from mri_noise.variance.lattice.directions import Task
from mri_noise.variance.lattice.forward_products import squared_error_share
from mri_noise.variance.lattice.search import Density, ScoredLattice, best_lattices
from mri_noise.variance.linearise.zero_filled import ImageDomain
from mri_noise.variance.plan import Lattice, Plan

_WINDOW = 12
"""Largest displacement, along each axis, of a voxel whose kernel could disturb that of another."""
_WIDTH = 16
"""Beyond which, along each axis, kernels are cut off."""
_LARGEST_INDEX = 160
_NEIGHBOURS = 24
"""Lattice points around a voxel that bound what is nearest to it."""
_SPACING = Spacing(apart=0, distance=KERNELS_APART, most=KERNELS_OF_A_BUNDLE)
"""Of the pilots of a bundle: kernels reach less than half of the distance."""


def plan_by_kernels(
    products: AdjointProducts,
    image: Image,
    region: Mask,
    generator: torch.Generator,
    task: Task,
    *,
    controls: Controls | None = None,
) -> tuple[Plan | None, int]:
    """Choose the cheapest lattice, and reach, that the kernels of pilots predict to be accurate enough.

    The error is that of the root of the sum of the variances along the directions, each of which takes its own
    probes. At most ``max_evaluations`` products are made, those of the pilots included: at most half of them, and
    ``n_bundles`` along each direction. Where that is too few, the most accurate lattice is chosen. There is no plan if
    no number of them is enough, since the network sees too far. With control variates forward products may be cheaper.

    Returns
    -------
    plan
    n_evaluations
        Products that the pilots took, with or without a plan.
    """
    directions, n_spent = task.directions.of(image), 0

    def choose(pilots: Sequence[Kernels]) -> Plan | None:
        nonlocal n_spent
        n_spent = sum(bundle.n_evaluations for bundle in pilots)
        n_pilots = sum(len(bundle.voxels) for bundle in pilots)
        bound = OPTIMISM_OF_KERNELS * scatter_bound(int(region.sum()), ALIKE_ON_A_LATTICE)
        most = task.max_evaluations - n_spent
        overlaps = [Overlap.of(products.domain, pilots, region, reach) for reach in REACHES]
        share = None if controls is None else _share_left(products.domain, pilots, controls)

        def plan_within(target: float, n_left: int) -> Plan | None:
            demand = Demand(target, bound, task.n_signs, n_left // task.directions.n, n_pilots, n_spent)
            found = [plan for plan in (overlap.plan(demand) for overlap in overlaps) if plan is not None]
            if not found or share is None:
                return cheapest(found) if found else None
            return or_forward_products(
                cheapest(found),
                n_channels=task.directions.n,
                n_voxels=int(region.sum()),
                max_evaluations=n_left,
                share=share,
                n_least=SAMPLES_BEFORE_THE_FIRST_FIT,
            )

        of_replicas = scatter_bound(int(region.sum()), ALIKE_IN_A_SKETCH)
        budget = Budget(task.target, most, task.excess, task.directions.channels[-1], of_replicas)
        return budget.cheapest(plan_within)

    n_bundles = min(task.n_bundles, task.max_evaluations // (2 * task.directions.n))
    plan = plan_by_bundles(
        draw_bundles(region, n_bundles, generator, _SPACING),
        lambda voxels: products.kernels(directions, voxels, generator),
        choose,
        n_first=FIRST_PRODUCTS_OF_KERNELS,
        share=PILOT_SHARE_OF_KERNELS,
    )
    return plan, n_spent


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the kernels of voxels that are probed together overlap, told by those of some pilots.

    As in :func:`.density.error_density`, squared errors (e_i / V_i)^2 of a variance are averaged over the pilots with
    the weights V_i, and divided by 4: they are squared errors of the std. V_i and e_i are sums over the directions of
    the kernels.

    Attributes
    ----------
    reach
        Distance along an axis beyond which covariances of the zero-filled image are left out.
    density
        What each displacement of two probed voxels adds to the squared NRMSE.
    energies : shape (voxels, rows, columns)
        h_i^* (C h_i) / 2 around each pilot, relative to V_i.
    weights : shape (voxels,)
        Of the pilots, with a sum of one.
    best
        The best lattice of each index by that density.
    """

    reach: int
    density: Density
    energies: NDArray[np.floating]
    weights: NDArray[np.floating]
    best: Mapping[int, ScoredLattice]

    @classmethod
    def of(cls, domain: ImageDomain, pilots: Sequence[Kernels], region: Mask, reach: int) -> "Overlap":
        """Move the kernel of each pilot against itself.

        Of two voxels d apart each keeps what lies nearer to it. There the product of its kernel with that of the other,
        taken to be the same kernel d away, is an error of random sign, in as many of the voxels of a region as have
        another one there.
        """
        variance = np.concatenate([bundle.variance.sum(0).cpu().numpy() for bundle in pilots])
        variance = variance.clip(np.finfo(float).tiny)
        weights = variance / variance.sum()
        n_rows, n_columns = region.shape
        kernels = np.concatenate([bundle.windows(bundle.product, _WIDTH) for bundle in pilots], axis=1)
        spreads = [domain.covariance(bundle.product, reach) for bundle in pilots]
        spread = np.concatenate(
            [bundle.windows(image, _WIDTH) for bundle, image in zip(pilots, spreads, strict=True)], axis=1
        )
        share = _share_with_another(region)
        density = np.zeros_like(share)
        high, wide = min(_WINDOW, n_rows - 1), min(_WINDOW, n_columns - 1)
        for y, x in itertools.product(range(high + 1), range(-wide, wide + 1)):
            if (y, x) > (0, 0):
                errors = (_overlap(kernels, spread, y, x) ** 2).sum(0)
                squared = share[n_rows - 1 + y, n_columns - 1 + x] * float((weights * errors / variance**2).sum()) / 4
                density[n_rows - 1 + y, n_columns - 1 + x] = density[n_rows - 1 - y, n_columns - 1 - x] = squared
        energies = (kernels.conj() * spread).real.sum(0) / (2 * variance[:, None, None])
        best = best_lattices(smoothed(density), largest_index=_LARGEST_INDEX)
        return cls(reach, density, energies, weights, best)

    def plan(self, demand: Demand) -> Plan | None:
        """Choose the cheapest lattice whose 95 % bound is within the target, or the most accurate one that is allowed.

        None if no lattice is accurate enough, were it allowed or not.
        """
        least = (demand.target / demand.bound) ** 2 * demand.n_signs
        within = (self._plan(scored, demand) for scored in self.best.values() if scored.score <= least)
        enough = next((plan for plan in within if plan.reaches_target), None)
        if enough is None or enough.n_products <= demand.largest_product:
            return enough
        allowed = [scored for index, scored in self.best.items() if demand.n_signs * index <= demand.largest_product]
        return min((self._plan(scored, demand) for scored in allowed), key=lambda plan: plan.nrmse, default=None)

    def _plan(self, scored: ScoredLattice, demand: Demand) -> Plan:
        """What a voxel loses to its neighbours is not of random sign; what it gets from them makes up for some."""
        random = max(scored.score, 0.0) / demand.n_signs
        nrmse = (random + self.lost(scored.lattice) ** 2) ** 0.5
        return replace(demand.plan(scored.lattice, demand.n_signs, nrmse), reach=self.reach)

    def lost(self, lattice: Lattice) -> float:
        """NRMSE of the std by the energy that is nearer to other voxels of a lattice, or outside the reach."""
        n = self.energies.shape[-1]
        voxels = lattice.colours((2 * n - 1, 2 * n - 1)).numpy()
        others = np.argwhere(voxels == voxels[n - 1, n - 1]) - (n - 1)
        squared = (others**2).sum(1)
        offset = np.arange(n) - n // 2
        nearer = np.ones((n, n), dtype=bool)
        for i in np.argsort(squared)[1 : _NEIGHBOURS + 1]:
            nearer &= 2 * (offset[:, None] * others[i, 0] + offset * others[i, 1]) < squared[i]
        lost = 1 - (self.energies * nearer).sum((1, 2))
        return float((self.weights * lost**2).sum()) ** 0.5 / 2


def _share_left(domain: ImageDomain, pilots: Sequence[Kernels], controls: Controls) -> float:
    """Of the squared error of forward products, by some pilots of each bundle, as far apart as those of rows."""
    variances, left = [], []
    for bundle in pilots:
        voxels = ROWS.bundles(bundle.voxels, at_most=1)[0]
        chosen = (bundle.voxels[:, None] == voxels).all(-1).any(1)
        y, x = voxels.T
        theirs = torch.isin(bundle.owner, (y * bundle.owner.shape[1] + x).to(bundle.owner))
        for product, variance in zip(bundle.product, bundle.variance.cpu(), strict=True):
            explained = controls.explained(domain.covariance(product * theirs), voxels)
            variances.append(variance[chosen])
            left.append(unexplained(explained, variance[chosen]))
    return squared_error_share(torch.cat(variances), torch.cat(left))


def _share_with_another(region: Mask) -> Density:
    """Of the voxels of a region, how many have another one at each displacement."""
    inside = region.cpu().numpy().astype(float)
    share: Density = signal.fftconvolve(inside, inside[::-1, ::-1]).clip(0) / inside.sum()
    return share


def _overlap(
    kernels: NDArray[np.complexfloating], spread: NDArray[np.complexfloating], y: int, x: int
) -> NDArray[np.floating]:
    """Re(h_d^* C h + h^* C h_d) / 2, summed over what lies nearer to the origin than to the displacement d."""
    n = kernels.shape[-1]
    offset = np.arange(n) - n // 2
    nearer = 2 * (offset[:, None] * y + offset * x) < y**2 + x**2
    to = slice(y, n), slice(max(x, 0), n + min(x, 0))
    since = slice(0, n - y), slice(max(-x, 0), n + min(-x, 0))
    product = (kernels[..., *since].conj() * spread[..., *to] + kernels[..., *to].conj() * spread[..., *since]).real
    overlap: NDArray[np.floating] = (product * nearer[to]).sum((-2, -1)) / 2
    return overlap
