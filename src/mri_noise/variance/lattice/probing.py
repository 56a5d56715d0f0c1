"""Probing a lattice by sets of probes that together hold every voxel, and what they say of its variances."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mri_noise.arrays import Image, Mask, RealMap
from mri_noise.variance.calibration import MARGIN_OF_MEASURED_ERRORS
from mri_noise.variance.estimate import Channel, ChannelVariance, VarianceEstimate, unit_phase
from mri_noise.variance.lattice.adjoint_only import AdjointProducts, Products
from mri_noise.variance.lattice.directions import COMPLEX, Directions, Task, random_signs
from mri_noise.variance.lattice.errors import Sums, nrmse, pooled, predicted_error
from mri_noise.variance.lattice.forward_products import take_forward_products
from mri_noise.variance.lattice.probes import BothProducts, Probed, occupied
from mri_noise.variance.plan import Plan


@dataclass(frozen=True, slots=True)
class Step:
    """What has come of a set so far.

    Attributes
    ----------
    values : shape (values, rows, columns)
        NaN where still to come, and outside the object.
    n_probes
        Parts of the set that were probed.
    """

    values: Float[Tensor, "values rows columns"]
    n_probes: int


@dataclass(frozen=True, eq=False)
class ProbeSets(ABC):
    """How a lattice is probed.

    Attributes
    ----------
    image : shape (rows, columns)
    region : shape (rows, columns)
        The object.
    plan
    """

    image: Image
    region: Mask
    plan: Plan

    @property
    @abstractmethod
    def n_values(self) -> int:
        """Numbers that a set says of each voxel."""

    @property
    @abstractmethod
    def n_probes(self) -> int:
        """Parts of a set: that many colours hold a voxel of the object, in each probe of the set."""

    @property
    @abstractmethod
    def n_evaluations(self) -> int:
        """Of a part."""

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Iterator[Step]:
        """Draw the random factors of a set, and probe it part by part."""

    @abstractmethod
    def channels(self, sums: Sums) -> dict[Channel, ChannelVariance]:
        """What the sets so far say of the variances; one below zero, which rare large errors cause, is set to zero."""

    @abstractmethod
    def n_total(self, sums: Sums, n_samples: int, n_left: int) -> int:
        """Parts in the end, as far as that is known after ``n_samples``: no more than these if it is the end.

        ``n_left`` evaluations are allowed from here on.
        """

    @cached_property
    def colours(self) -> Int[Tensor, "rows columns"]:
        """Which probe of the lattice holds each voxel."""
        return self.plan.colours(self.image)

    @cached_property
    def n_colours(self) -> int:
        """Of the object."""
        return len(occupied(self.colours, self.region))


@dataclass(frozen=True, eq=False)
class SignSets(ProbeSets):
    """Random signs along each direction in turn: as many sets as the plan says, with the errors that it predicts.

    For a probe v = s w on one translate of the lattice, Re(conj(v_i) (B B^T v)_i) / 2 has the variance along w_i as its
    expectation.
    """

    products: BothProducts | AdjointProducts
    directions: Directions

    @property
    def n_values(self) -> int:
        return self.directions.n

    @property
    def n_probes(self) -> int:
        return self.directions.n * self.n_colours

    @property
    def n_evaluations(self) -> int:
        return self.products.n_evaluations

    def draw(self, generator: torch.Generator) -> Iterator[Step]:
        shape = (self.image.shape[0], self.image.shape[1])
        values = self.image.real.new_full((self.n_values, *shape), torch.nan)
        for number, direction in enumerate(self.directions.of(self.image)):
            probe = direction * self.region * random_signs(shape, generator).to(self.image)
            for probed in self.products(probe, self.colours, self.plan):
                values = values.clone()
                values[number] = probed.product.real
                yield Step(values, number * self.n_colours + probed.n_probes)

    def channels(self, sums: Sums) -> dict[Channel, ChannelVariance]:
        fewer = (self.n_values * self.plan.n_signs / sums.count[0]).sqrt()  # sets than planned, and of the directions
        along = sums.mean[0]
        if self.directions.n == 1:
            return {"magnitude": ChannelVariance(along.clamp_min(0), self._measured(sums, fewer * self._error(along)))}
        along, both = self._as_image(along), self._as_image(sums.mean.sum(0))
        return {
            "magnitude": ChannelVariance(along.clamp_min(0), fewer * self._error(along)),
            "complex": ChannelVariance(both.clamp_min(0), self._error(both)),
        }

    def n_total(self, sums: Sums, n_samples: int, n_left: int) -> int:
        return self.plan.n_signs * self.n_probes

    def _error(self, variance: RealMap) -> RealMap:
        return predicted_error(variance, self.plan)

    def _measured(self, sums: Sums, predicted: RealMap) -> RealMap:
        """From two sets on, the spread of these in a neighbourhood in place of what pilots predict."""
        repeated = sums.count[0] > 1
        if not bool(repeated.any()):
            return predicted
        return torch.where(repeated, pooled(sums.variance_of_mean[0], repeated).sqrt(), predicted)

    def _as_image(self, values: RealMap) -> RealMap:
        """In the precision of the image: a single set is no more precise than its products."""
        return torch.where(torch.isfinite(values), values, torch.nan).to(self.image.real.dtype)


@dataclass(frozen=True, eq=False)
class QuadraturePairs(ProbeSets):
    """Pairs of probes in quadrature, which measure their error: as many as bring it within the target.

    A probe v has the phases of the image turned by random quarters; its partner is i s v with random signs s, so that
    of the two one is along the phase of the image, the other across. The pseudo-covariance of a voxel with itself has
    opposite signs in the two products and cancels in their sum, whose imaginary part is error alone, of the same
    variance as the error of the real part. The values are the complex variance, that of the magnitude, whose error has
    half the variance, and that imaginary part.
    """

    products: BothProducts
    target: float

    n_values: ClassVar[int] = 3
    n_evaluations: ClassVar[int] = BothProducts.n_evaluations

    @property
    def n_probes(self) -> int:
        return 2 * self.n_colours

    def draw(self, generator: torch.Generator) -> Iterator[Step]:
        shape = (self.image.shape[0], self.image.shape[1])
        quarters = COMPLEX.draw(shape, generator).to(self.image)
        signs = random_signs(shape, generator).to(self.image)
        first = unit_phase(self.image) * self.region * quarters
        products = zip(self._probe(first), self._probe(1j * signs * first), strict=True)
        for one, two in products:
            both, along = one.product + two.product, torch.where(quarters.real != 0, one.product, two.product)
            yield Step(torch.stack([both.real, along.real, both.imag]), one.n_probes + two.n_probes)

    def channels(self, sums: Sums) -> dict[Channel, ChannelVariance]:
        squared, (both, along, _) = self._squared_error(sums), sums.mean
        return {
            "magnitude": ChannelVariance(along.clamp_min(0), (squared / 2).sqrt()),
            "complex": ChannelVariance(both.clamp_min(0), squared.sqrt()),
        }

    def n_total(self, sums: Sums, n_samples: int, n_left: int) -> int:
        """A second pair, and any other, goes only as far as the target takes."""
        n_pairs = n_samples // self.n_probes
        spent = n_left < 2 * self.n_evaluations * self.products.chunk
        if n_pairs > 0 and (spent or MARGIN_OF_MEASURED_ERRORS * self._nrmse(sums) <= self.target):
            return n_samples
        return (n_pairs + 1) * self.n_probes

    def _probe(self, probe: Image) -> Iterator[Probed]:
        return self.products(probe, self.colours, self.plan)

    def _nrmse(self, sums: Sums) -> float:
        """Of the complex std map over the object."""
        return nrmse(pooled(sums.mean[0], self.region), self._squared_error(sums), self.region)

    def _squared_error(self, sums: Sums) -> RealMap:
        """Of the variance: what the errors of neighbours show, each of which is of a mean of so many pairs."""
        count = sums.count[2]
        return pooled(count * sums.mean[2].square(), self.region & (count > 0)) / count


def probe(
    products: Products,
    image: Image,
    region: Mask,
    plan: Plan,
    generator: torch.Generator,
    *,
    task: Task,
    n_before: int = 0,
) -> Iterator[VarianceEstimate]:
    """Do what a plan says, after ``n_before`` evaluations; voxels still to come, and outside the region, are NaN.

    Raises
    ------
    TypeError
        If the plan has no lattice and the products have no forward ones.
    """
    if plan.lattice is not None:
        sets = _sets(products, image, region, plan, task)
        yield from _probe_sets(sets, generator, most=task.max_evaluations - n_before, n_before=n_before)
    elif not isinstance(products, BothProducts):
        raise TypeError("a plan without a lattice needs forward products; probe it with BothProducts")
    else:
        yield from take_forward_products(products, image, region, plan, generator, task=task, n_before=n_before)


def _sets(products: Products, image: Image, region: Mask, plan: Plan, task: Task) -> ProbeSets:
    """How a lattice is probed: errors are measured where that is possible, else those that the plan predicts."""
    if task.directions.n == 2 and isinstance(products, BothProducts):
        return QuadraturePairs(image, region, plan, products, plan.target)
    return SignSets(image, region, plan, products, task.directions)


def _probe_sets(sets: ProbeSets, generator: torch.Generator, *, most: int, n_before: int) -> Iterator[VarianceEstimate]:
    """Probe set after set until one of them says that it is enough."""
    sums, n_former, ends = Sums.zeros(sets.n_values, *sets.region.shape, device=sets.region.device), 0, False
    while not ends:
        for step in sets.draw(generator):
            latest, n_samples = sums.plus(step.values[None]), n_former + step.n_probes
            n_evaluations = sets.n_evaluations * n_samples
            n_total = sets.n_total(latest, n_samples, most - n_evaluations)
            ends = n_samples >= n_total
            yield VarianceEstimate(
                sets.channels(latest),
                n_samples=n_samples,
                n_evaluations=n_before + n_evaluations,
                n_total=n_total,
                plan=sets.plan,
            )
            if ends:
                break
        sums, n_former = latest, n_samples
