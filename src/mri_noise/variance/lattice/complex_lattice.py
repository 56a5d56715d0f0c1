"""The complex variance, and the magnitude's, by probing a lattice with pairs of probes in quadrature."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Complex, Int
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import Image, Mask, RealMap
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import VarianceEstimate, unit_phase
from mri_noise.variance.lattice.adjoint_only import AdjointProducts
from mri_noise.variance.lattice.bundles import Bundle, compute_complex_bundles
from mri_noise.variance.lattice.choice import Demand, or_forward_products, plan_for
from mri_noise.variance.lattice.density import bundled_density
from mri_noise.variance.lattice.errors import nrmse, pooled, predicted_error
from mri_noise.variance.lattice.forward_products import FIRST_FIT, forward_products, share_of_bundles, until_accurate
from mri_noise.variance.lattice.overlap import plan_by_kernels
from mri_noise.variance.lattice.pilots import plan_by_rows, trust_under
from mri_noise.variance.lattice.probes import BothProducts, Sums, occupied, probe_colours
from mri_noise.variance.linearise.point import OperatingPoint, batch_size
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan

MARGIN = 1.1
"""By how much the measured error is below the target when probing ends: it is known to a few per cent."""
_LEAST_SAVING = 0.2
"""Of a lattice over forward products, whose error is a law: one that pilots promise too small takes more pairs."""


class ComplexLatticeProbing(VarianceMethod):
    """Lattice probing in quadrature: variance of the complex image and of the magnitude, with measured errors.

    A probe v has the phases of the image turned by random quarters; its partner is i s v with random signs s. The
    pseudo-covariance of a voxel with itself has opposite signs in the two products and cancels in their sum, whose
    imaginary part is error alone, of the same variance as the error of the real part. Probes are added until that
    measured error is within the target. Where forward products of random probes are cheaper, they take its place.

    A network of the zero-filled image is probed along the phase and across it by adjoint products alone
    (:mod:`mri_noise.variance.lattice.adjoint_only`), with the errors that its pilots predict, unless it sees too far.
    """

    title: ClassVar[str] = "lattice probing, complex"
    expert: ClassVar[frozenset[str]] = frozenset({"n_bundles", "share_pilots", "batch"})

    kind: Literal["lattice-complex"] = "lattice-complex"
    target: float = Field(
        0.03, gt=0, lt=1, description="Relative error (NRMSE) of the complex std map that is asked for"
    )
    max_evaluations: int = Field(
        4000, ge=200, description="Network-sized passes at most; the map is then less accurate"
    )
    n_bundles: int = Field(
        16, ge=1, le=64, description="Products at most that choose the lattice, each the rows of up to six voxels"
    )
    share_pilots: bool = Field(True, description="Let the first slice of a run choose for the others")
    batch: int | None = Field(None, ge=1, description="Probes computed at once; none: what suits the device")

    def __call__(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None = None
    ) -> Iterator[VarianceEstimate]:
        """Refine the variances pair by pair; voxels still to come, and those outside the object, are NaN.

        A plan from another slice of the same protocol saves the pilots.

        Raises
        ------
        ValueError
            If the object is empty.
        """
        chunk = batch_size(self.batch, point)
        n_before = 0
        if point.image_domain is not None and (plan is None or plan.reach is not None):
            adjoint = AdjointProducts.of(point, point.image_domain, chunk=chunk)
            if plan is None:
                plan, n_before = plan_by_kernels(
                    adjoint,
                    _directions(point.image),
                    point.object,
                    generator,
                    target=self.target,
                    n_signs=1,
                    n_bundles=self.n_bundles,
                    max_evaluations=self.max_evaluations,
                    controls=point.controls,
                )
            if plan is not None and plan.lattice is not None:
                yield from probe_directions(adjoint, point.image, point.object, plan, generator, n_before=n_before)
                return
        products = BothProducts.of(point, chunk=chunk)
        if plan is None:
            plan = self.plan(products.operator, point, generator, chunk=chunk, n_before=n_before)
            n_before = plan.n_evaluations
        yield from self.probe(products, point.image, point.object, plan, generator, n_before=n_before)

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
            lambda voxels: compute_complex_bundles(
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
        most = self.max_evaluations - n_evaluations
        demand = Demand(
            target=self.target,
            bound=MARGIN,
            n_signs=1,
            largest_product=most // 4,
            n_pilots=sum(len(bundle.voxels) for bundle in bundles),
            n_evaluations=n_evaluations,
        )
        density = trust_under(point.noise_shaping.mask).optimism ** 2 * bundled_density(bundles, point.object)
        plan = plan_for(density, point.noise_shaping.mask, demand)
        return or_forward_products(
            plan,
            n_channels=2,
            n_voxels=int(point.object.sum()),
            max_evaluations=most,
            least_saving=_LEAST_SAVING,
            share=share_of_bundles(bundles),
            n_least=FIRST_FIT,
        )

    def probe(
        self,
        products: BothProducts,
        image: Image,
        region: Mask,
        plan: Plan,
        generator: torch.Generator,
        *,
        n_before: int,
    ) -> Iterator[VarianceEstimate]:
        """Do what a plan says, until the measured error is within the target or no evaluation is left.

        A second pair, and any other, goes only as far as that takes. Forward products are about as many as a plan
        says: noise that is not circular takes more.
        """
        if plan.lattice is None:
            most = self.max_evaluations - n_before
            estimates = forward_products(products, image, region, generator, n_probes=most)
            yield from until_accurate(estimates, region, plan, "complex", most=most, n_before=n_before)
            return
        operator, chunk = products.operator, products.chunk
        colours = plan.colours(image)
        n_of_pair = 2 * len(occupied(colours, region))
        sums, n_before_pair, ends = PairSums.zeros(region), 0, False
        while not ends:
            for pair in probe_pair(operator, image, region, colours, generator, chunk=chunk):
                latest, n_samples = sums.plus(pair), n_before_pair + pair.n_probes
                n_evaluations = n_before + 2 * n_samples
                whole = pair.n_probes == n_of_pair
                if n_before_pair > 0 or whole:
                    spent = n_evaluations + 4 * chunk > self.max_evaluations
                    ends = spent or MARGIN * latest.nrmse(region) <= self.target
                n_total = n_samples if ends else n_before_pair + n_of_pair + whole * n_of_pair
                yield latest.estimate(region, plan, n_samples, n_evaluations, n_total)
                if ends:
                    break
            sums, n_before_pair = latest, n_samples


def _directions(image: Image) -> Complex[Tensor, "2 rows columns"]:
    """Along the phase of the image, and across it."""
    return unit_phase(image) * torch.tensor([1, 1j]).to(image)[:, None, None]


def probe_directions(
    products: AdjointProducts, image: Image, region: Mask, plan: Plan, generator: torch.Generator, *, n_before: int
) -> Iterator[VarianceEstimate]:
    """Probe a planned lattice along the phase of the image and across it: the sum is the complex variance."""
    colours = plan.colours(image)
    n_colours = len(occupied(colours, region))
    found: list[RealMap] = []
    for n_done, direction in enumerate(_directions(image)):
        signs = 2.0 * torch.randint(0, 2, tuple(image.shape), generator=generator).to(image) - 1
        for probed in products(direction * signs * region, colours, plan):
            variances = [*found, probed.product.real]
            n_samples = n_done * n_colours + probed.n_probes
            both = torch.stack(variances).sum(0) if n_done else torch.full_like(variances[0], torch.nan)
            yield VarianceEstimate(
                variance_magnitude=variances[0].clamp_min(0),
                standard_error_magnitude=2**0.5 * predicted_error(variances[0], plan),  # one of two terms
                variance=both.clamp_min(0),
                standard_error=predicted_error(both, plan),
                n_samples=n_samples,
                n_evaluations=n_before + n_samples,
                n_total=2 * n_colours,
                plan=plan,
            )
        found = variances


@dataclass(frozen=True, slots=True)
class Pair:
    """What has come of two probes in quadrature so far; NaN where still to come.

    Attributes
    ----------
    variance, variance_magnitude : shape (rows, columns)
        The error of the second has half the variance of that of the first, of which it is one of two terms.
    error : shape (rows, columns)
        Numbers with the variance of the error of ``variance``.
    n_probes
        Parts of both probes so far.
    """

    variance: RealMap
    variance_magnitude: RealMap
    error: RealMap
    n_probes: int


def probe_pair(
    operator: LinearOperator,
    image: Image,
    region: Mask,
    colours: Int[Tensor, "rows columns"],
    generator: torch.Generator,
    *,
    chunk: int,
) -> Iterator[Pair]:
    """Probe with v = i^k exp(i phi) and i s v: of the two one is along the phase of the image, the other across."""
    shape = (image.shape[0], image.shape[1])
    quarters = torch.randint(0, 4, shape, generator=generator).to(image.device)
    signs = 2.0 * torch.randint(0, 2, shape, generator=generator).to(image) - 1
    first = unit_phase(image) * region * torch.tensor([1, 1j, -1, -1j]).to(image)[quarters]
    products = zip(
        probe_colours(operator, first, colours, chunk=chunk),
        probe_colours(operator, 1j * signs * first, colours, chunk=chunk),
        strict=True,
    )
    for one, two in products:
        both, along = one.product + two.product, torch.where(quarters % 2 == 0, one.product, two.product)
        yield Pair(both.real, along.real, both.imag, one.n_probes + two.n_probes)


@dataclass(frozen=True, slots=True)
class PairSums:
    """Running sums over pairs."""

    variance: Sums
    variance_magnitude: Sums
    error: Sums

    @classmethod
    def zeros(cls, like: Mask) -> "PairSums":
        """Nothing yet."""
        zero = Sums.zeros(like)
        return cls(zero, zero, zero)

    def plus(self, pair: Pair) -> "PairSums":
        """Take in a pair, as far as it has come."""
        return PairSums(
            self.variance.plus(pair.variance),
            self.variance_magnitude.plus(pair.variance_magnitude),
            self.error.plus(pair.error),
        )

    def squared_error(self, region: Mask) -> RealMap:
        """Of the variance: what the errors of neighbours show, each of which is of a mean of so many pairs."""
        count = self.error.count
        return pooled(count * self.error.mean.square(), region & (count > 0)) / count

    def nrmse(self, region: Mask) -> float:
        """Of the complex std map over a region."""
        return nrmse(pooled(self.variance.mean, region), self.squared_error(region), region)

    def estimate(self, region: Mask, plan: Plan, n_samples: int, n_evaluations: int, n_total: int) -> VarianceEstimate:
        """A snapshot; a variance below zero, which rare large errors cause, is set to zero."""
        error = self.squared_error(region)
        return VarianceEstimate(
            variance_magnitude=self.variance_magnitude.mean.clamp_min(0),
            standard_error_magnitude=(error / 2).sqrt(),
            variance=self.variance.mean.clamp_min(0),
            standard_error=error.sqrt(),
            n_samples=n_samples,
            n_evaluations=n_evaluations,
            n_total=n_total,
            plan=plan,
        )
