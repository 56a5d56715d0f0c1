"""The variance of the magnitude by probing a lattice that exact rows of a few voxels choose."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from pydantic import Field

from mri_noise.arrays import Image, Mask, RealMap
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import VarianceEstimate, unit_phase
from mri_noise.variance.lattice.adjoint_only import AdjointProducts
from mri_noise.variance.lattice.bundles import Bundle, compute_bundles
from mri_noise.variance.lattice.choice import Demand, or_forward_products, plan_for, scatter_bound
from mri_noise.variance.lattice.density import bundled_density
from mri_noise.variance.lattice.errors import pooled, predicted_error
from mri_noise.variance.lattice.forward_products import FIRST_FIT, forward_products, share_of_bundles, until_accurate
from mri_noise.variance.lattice.overlap import plan_by_kernels
from mri_noise.variance.lattice.pilots import ALIKE, plan_by_rows, trust_under
from mri_noise.variance.lattice.probes import BothProducts, Sums, occupied
from mri_noise.variance.lattice.shrinkage import shrink
from mri_noise.variance.linearise.point import OperatingPoint, batch_size
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan

Products = BothProducts | AdjointProducts
"""What a probe of one colour goes through."""


class LatticeProbing(VarianceMethod):
    """Magnitude by lattice probing: as many products as the accuracy asked for needs; the magnitude's variance only.

    Covariance rows of a few voxels (the pilots), several in one product, predict the error of every lattice. The
    cheapest one that is accurate enough is probed with random signs along the phase of the image, in the object: for a
    probe v = s exp(i phi) on one translate of the lattice, Re(conj(v_i) (B B^T v)_i) / 2 has the expectation V_i. Where
    forward products of random probes are cheaper still, they take its place.

    A network of the zero-filled image needs adjoint products alone (:mod:`mri_noise.variance.lattice.adjoint_only`),
    also for its pilots, unless it sees too far.
    """

    title: ClassVar[str] = "lattice probing"
    expert: ClassVar[frozenset[str]] = frozenset({"n_bundles", "n_signs", "shrink", "share_pilots", "batch"})

    kind: Literal["lattice"] = "lattice"
    target: float = Field(0.03, gt=0, lt=1, description="Relative error (NRMSE) of the std map that is asked for")
    max_evaluations: int = Field(
        2000, ge=100, description="Network-sized passes at most; the map is then less accurate"
    )
    n_bundles: int = Field(
        16, ge=1, le=64, description="Products at most that choose the lattice, each the rows of up to six voxels"
    )
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
        n_before = 0
        if plan is None:
            plan, products = self._plan(point, generator, chunk)
            n_before = plan.n_evaluations
        else:
            products = _products(point, plan, chunk)
        most = self.max_evaluations - n_before
        for estimate in probe_magnitude(
            products, point.image, point.object, plan, generator, most=most, n_before=n_before
        ):
            shrinks = self.shrink and estimate.complete and plan.lattice is not None  # errors of neighbours differ
            yield _shrunk(estimate, point.object) if shrinks else estimate

    def _plan(self, point: OperatingPoint, generator: torch.Generator, chunk: int) -> tuple[Plan, Products]:
        """Choose by kernels where adjoint products may do alone, else by rows; and what the choice is probed with."""
        n_before = 0
        if point.image_domain is not None:
            adjoint = AdjointProducts.of(point, point.image_domain, chunk=chunk)
            plan, n_before = plan_by_kernels(
                adjoint,
                unit_phase(point.image)[None],
                point.object,
                generator,
                target=self.target,
                n_signs=self.n_signs,
                n_bundles=self.n_bundles,
                max_evaluations=self.max_evaluations,
                controls=point.controls,
            )
            if plan is not None:
                return plan, adjoint if plan.lattice is not None else BothProducts.of(point, chunk=chunk)
        products = BothProducts.of(point, chunk=chunk)
        return self.plan(products.operator, point, generator, chunk=chunk, n_before=n_before), products

    def plan(
        self,
        operator: LinearOperator,
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
                operator, point.image, voxels, generator, chunk=chunk, controls=point.controls
            ),
            lambda bundles: self.choose(bundles, point, n_before=n_before),
            n_first=trust_under(point.noise_shaping.mask).n_first,
            n_bundles=self.n_bundles,
            n_left=self.max_evaluations - n_before,
        )

    def choose(self, bundles: Sequence[Bundle], point: OperatingPoint, *, n_before: int = 0) -> Plan:
        """Choose the cheapest plan that rows of some voxels predict to be accurate enough."""
        n_evaluations = n_before + 2 * len(bundles)
        most, n_voxels = self.max_evaluations - n_evaluations, int(point.object.sum())
        demand = Demand(
            target=self.target,
            bound=scatter_bound(n_voxels, ALIKE),
            n_signs=self.n_signs,
            largest_product=most // 2,
            n_pilots=sum(len(bundle.voxels) for bundle in bundles),
            n_evaluations=n_evaluations,
        )
        density = trust_under(point.noise_shaping.mask).optimism ** 2 * bundled_density(bundles, point.object)
        plan = plan_for(density, point.noise_shaping.mask, demand)
        return or_forward_products(
            plan,
            n_channels=1,
            n_voxels=n_voxels,
            max_evaluations=most,
            share=share_of_bundles(bundles),
            n_least=FIRST_FIT,
        )


def _products(point: OperatingPoint, plan: Plan, chunk: int) -> Products:
    """What a plan from another slice is probed with."""
    if plan.reach is None or point.image_domain is None:
        return BothProducts.of(point, chunk=chunk)
    return AdjointProducts.of(point, point.image_domain, chunk=chunk)


def probe_magnitude(
    products: Products, image: Image, region: Mask, plan: Plan, generator: torch.Generator, *, most: int, n_before: int
) -> Iterator[VarianceEstimate]:
    """Do what a plan says: probe a lattice, or take forward products, with control variates at ``most`` so many."""
    if plan.lattice is not None:
        yield from _probe_lattice(products, image, region, plan, generator, n_before=n_before)
    elif not isinstance(products, BothProducts):
        raise TypeError("a plan without a lattice needs forward products; probe it with BothProducts")
    else:
        yield from _take_forward_products(products, image, region, plan, generator, most=most, n_before=n_before)


def _probe_lattice(
    products: Products, image: Image, region: Mask, plan: Plan, generator: torch.Generator, *, n_before: int
) -> Iterator[VarianceEstimate]:
    """Probe with each set of signs in turn; a voxel's variance is the mean over its sets so far."""
    colours = plan.colours(image)
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
                standard_error_magnitude=_standard_error(sums, plan),
                n_samples=n_samples,
                n_evaluations=n_before + plan.evaluations_per_product * n_samples,
                n_total=plan.n_signs * n_colours,
                plan=plan,
            )
        finished = sums


def _take_forward_products(
    products: BothProducts,
    image: Image,
    region: Mask,
    plan: Plan,
    generator: torch.Generator,
    *,
    most: int,
    n_before: int,
) -> Iterator[VarianceEstimate]:
    """As many as the law of sampling says or, with control variates, until the measured error is within the target."""
    if products.controls is None:
        for estimate in forward_products(products, image, region, generator, n_probes=plan.n_signs):
            only = estimate.only("magnitude", region=region)
            yield replace(only, n_evaluations=n_before + estimate.n_evaluations, plan=plan)
        return
    estimates = forward_products(products, image, region, generator, n_probes=most)
    for estimate in until_accurate(estimates, region, plan, "magnitude", most=most, n_before=n_before):
        yield estimate.only("magnitude", region=region)


def _shrunk(estimate: VarianceEstimate, region: Mask) -> VarianceEstimate:
    shrunk = shrink(estimate.variance_magnitude, estimate.standard_error_magnitude, region)
    return replace(estimate, variance_magnitude=shrunk.variance, prior_weight=shrunk.prior_weight)


def _standard_error(sums: Sums, plan: Plan) -> RealMap:
    """Of the mean: what the pilots predict, or, from two sets of signs on, the spread of these in a neighbourhood."""
    predicted = (plan.n_signs / sums.count).sqrt() * predicted_error(sums.mean, plan)
    repeated = sums.count > 1
    if not bool(repeated.any()):
        return predicted
    return torch.where(repeated, pooled(sums.variance_of_mean, repeated).sqrt(), predicted)
