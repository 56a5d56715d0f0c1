"""The complex variance, and the magnitude's, by probing a lattice with pairs of probes in quadrature."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from pydantic import Field

from mri_noise.variance.check.excess import Excess
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.lattice.directions import COMPLEX, Task
from mri_noise.variance.lattice.planning import planned, refusal
from mri_noise.variance.lattice.probing import probe
from mri_noise.variance.linearise.point import OperatingPoint, batch_size
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan
from mri_noise.variance.sampling.monte_carlo import planned_replicas


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
    sample_name: ClassVar[str] = "colours"
    channels: ClassVar[tuple[Channel, ...]] = COMPLEX.channels
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

    @property
    def shares_plan(self) -> bool:
        return self.share_pilots

    def supports(self, point: OperatingPoint) -> str | None:
        return refusal(point)

    @property
    def task(self) -> Task:
        """What is planned for."""
        return Task(COMPLEX, self.target, self.max_evaluations, self.n_bundles)

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
        yield from probe(
            found.products,
            point.direction,
            point.object,
            found.plan,
            generator,
            task=task,
            n_before=found.n_evaluations,
        )
