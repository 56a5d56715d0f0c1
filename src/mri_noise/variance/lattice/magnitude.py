"""The variance of the magnitude by probing a lattice that exact rows of a few voxels choose."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from pydantic import Field

from mri_noise.arrays import Mask
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.lattice.directions import MAGNITUDE, Task
from mri_noise.variance.lattice.planning import planned, refusal
from mri_noise.variance.lattice.probing import probe
from mri_noise.variance.lattice.shrinkage import shrink
from mri_noise.variance.linearise.point import OperatingPoint, batch_size
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan
from mri_noise.variance.sampling.monte_carlo import planned_replicas


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
    sample_name: ClassVar[str] = "colours"
    channels: ClassVar[tuple[Channel, ...]] = MAGNITUDE.channels
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

    @property
    def shares_plan(self) -> bool:
        return self.share_pilots

    def supports(self, point: OperatingPoint) -> str | None:
        return refusal(point)

    @property
    def task(self) -> Task:
        """What is planned for."""
        return Task(MAGNITUDE, self.target, self.max_evaluations, self.n_bundles, self.n_signs)

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
        return self.beside(point, generator, plan, None)

    def beside(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None, excess: Excess | None
    ) -> Iterator[VarianceEstimate]:
        task = replace(self.task, excess=excess)
        chunk = batch_size(self.batch, point)
        found = planned(task, point, generator, plan, chunk=chunk)
        if found.plan.replicas:
            yield from planned_replicas(
                point, found.plan, generator, self.channels, chunk=chunk, n_before=found.n_evaluations
            )
            return
        for estimate in probe(
            found.products,
            point.direction,
            point.object,
            found.plan,
            generator,
            task=task,
            n_before=found.n_evaluations,
        ):
            shrinks = (
                self.shrink and estimate.complete and found.plan.lattice is not None
            )  # errors of neighbours differ
            yield _shrunk(estimate, point.object) if shrinks else estimate


def _shrunk(estimate: VarianceEstimate, region: Mask) -> VarianceEstimate:
    shrunk = shrink(estimate.variance_magnitude, estimate.standard_error_magnitude, region)
    smooth = estimate.with_channel("magnitude", shrunk.variance, estimate.standard_error_magnitude)
    return replace(smooth, prior_weight=shrunk.prior_weight)
