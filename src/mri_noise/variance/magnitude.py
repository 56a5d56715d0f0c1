"""The variance of the magnitude by probing a lattice that exact rows of a few voxels choose."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field

from mri_noise.arrays import Image, Mask, RealMap
from mri_noise.settings import Settings
from mri_noise.variance.estimate import VarianceEstimate, unit_phase
from mri_noise.variance.kernels import AdjointProducts
from mri_noise.variance.local import local_mean
from mri_noise.variance.plan import Plan, plan_for
from mri_noise.variance.point import OperatingPoint, batch_size, noise_jacobian
from mri_noise.variance.probing import BothProducts, Sums, occupied
from mri_noise.variance.rows import Rows, covariance_rows, error_density, random_voxels
from mri_noise.variance.shrinkage import shrink

Products = BothProducts | AdjointProducts
"""What a probe of one colour goes through."""

_POOL = 2.0
"""Width of the neighbourhood over which spreads are pooled, in voxels."""


class LatticeProbing(Settings):
    """Magnitude by lattice probing: as many products as the accuracy asked for needs; the magnitude's variance only.

    Exact covariance rows of a few voxels (the pilots) predict the error of every lattice. The cheapest one that is
    accurate enough is probed with random signs along the phase of the image, in the object: for a probe
    v = s exp(i phi) on one translate of the lattice, Re(conj(v_i) (B B^T v)_i) / 2 has the expectation V_i.

    A network of the zero-filled image needs the adjoint product alone (:mod:`mri_noise.variance.kernels`), and half as
    many pilots, unless it sees too far.
    """

    kind: Literal["lattice"] = "lattice"
    target: float = Field(0.03, gt=0, lt=1, description="Relative error (NRMSE) of the std map that is asked for")
    max_evaluations: int = Field(
        2000, ge=100, description="Network-sized passes at most; the map is then less accurate"
    )
    n_pilots: int = Field(16, ge=2, le=40, description="Voxels whose exact rows choose the lattice")
    n_signs: int = Field(
        1,
        ge=1,
        le=8,
        description="Sets of random signs at least; from 2 on, standard errors are measured voxel by voxel",
    )
    shrink: bool = Field(
        True, description="Weigh the finished map against neighbouring voxels; its stated errors stay those before"
    )
    share_pilots: bool = Field(True, description="Let the first slice of a run choose for the others")
    batch: int | None = Field(None, ge=1, description="Probes computed at once; none: what suits the device")

    def __call__(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None = None
    ) -> Iterator[VarianceEstimate]:
        """Fill the map colour by colour; voxels still to come, and those outside the object, are NaN.

        A plan from another slice of the same protocol saves the pilots.

        Raises
        ------
        ValueError
            If the object is empty.
        """
        chunk = batch_size(self.batch, point)
        if plan is None:
            plan, products, n_before = self._plan(point, generator, chunk)
        else:
            products, n_before = _products(point, plan, chunk), 0
        for estimate in probe_magnitude(products, point.image, point.object, plan, generator, n_before=n_before):
            yield _shrunk(estimate, point.object) if self.shrink and estimate.complete else estimate

    def _plan(self, point: OperatingPoint, generator: torch.Generator, chunk: int) -> tuple[Plan, Products, int]:
        """Choose the lattice by pilots; also return what it is probed with, and the evaluations that were spent."""
        n_spent = 0
        if point.image_domain is not None:
            adjoint = AdjointProducts.of(point.image_domain, replayable=point.replayable, chunk=chunk)
            n_spent = max(self.n_pilots // 2, 2)
            along = unit_phase(point.image)[None]
            plan = adjoint.plan(
                along, point.object, generator, target=self.target, n_signs=self.n_signs, n_pilots=n_spent
            )
            if plan is not None:
                return plan, adjoint, plan.n_pilots
        operator = noise_jacobian(point, chunk=chunk)
        voxels = random_voxels(point.object, self.n_pilots, generator)
        rows = covariance_rows(operator, point.image, voxels, chunk=chunk)
        return self.choose_lattice(rows, point), BothProducts(operator, chunk), n_spent + 2 * len(voxels)

    def choose_lattice(self, rows: Rows, point: OperatingPoint) -> Plan:
        """Choose the cheapest plan that rows of some voxels predict to be accurate enough."""
        n_pilots = len(rows.voxels)
        return plan_for(
            error_density(rows, point.object),
            point.colouring.mask,
            target=self.target,
            n_signs=self.n_signs,
            largest_product=(self.max_evaluations - 2 * n_pilots) // 2,
            n_pilots=n_pilots,
        )


def _products(point: OperatingPoint, plan: Plan, chunk: int) -> Products:
    """What a plan from another slice is probed with."""
    if plan.reach is None or point.image_domain is None:
        return BothProducts(noise_jacobian(point, chunk=chunk), chunk)
    return AdjointProducts.of(point.image_domain, replayable=point.replayable, chunk=chunk)


def probe_magnitude(
    products: Products, image: Image, region: Mask, plan: Plan, generator: torch.Generator, *, n_before: int
) -> Iterator[VarianceEstimate]:
    """Probe a planned lattice with each set of signs in turn; a voxel's variance is the mean over its sets so far."""
    colours = plan.lattice.colours((image.shape[0], image.shape[1]))
    n_colours = len(occupied(colours, region))
    along = unit_phase(image) * region
    finished = Sums.zeros(region)
    for n_done in range(plan.n_signs):
        signs = 2.0 * torch.randint(0, 2, tuple(image.shape), generator=generator) - 1
        sums = finished
        for probed in products(along * signs.to(along), colours, plan):
            sums = finished.plus(probed.product.real)
            n_samples = n_done * n_colours + probed.n_probes
            yield VarianceEstimate(
                variance_magnitude=sums.mean.clamp_min(0),  # rare large errors make a variance negative
                standard_error_magnitude=_standard_error(sums, plan, region),
                n_samples=n_samples,
                n_evaluations=n_before + plan.n_products * n_samples,
                n_total=plan.n_signs * n_colours,
                plan=plan,
            )
        finished = sums


def _shrunk(estimate: VarianceEstimate, region: Mask) -> VarianceEstimate:
    shrunk = shrink(estimate.variance_magnitude, estimate.standard_error_magnitude, region)
    return replace(estimate, variance_magnitude=shrunk.variance, prior_weight=shrunk.prior_weight)


def _standard_error(sums: Sums, plan: Plan, region: Mask) -> RealMap:
    """Of the mean: what the pilots predict for the variances of a neighbourhood, or, from two sets on, their spread.

    The error of a voxel comes from other voxels, so that it is pooled over a neighbourhood.
    """
    known = region & (sums.count > 0)
    predicted = 2 * plan.nrmse * (plan.n_signs / sums.count).sqrt() * local_mean(sums.mean.abs(), known, _POOL)
    repeated = region & (sums.count > 1)
    if not bool(repeated.any()):
        return predicted
    return torch.where(repeated, local_mean(sums.variance_of_mean, repeated, _POOL).sqrt(), predicted)
