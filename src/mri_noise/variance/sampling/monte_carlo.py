"""Monte Carlo: the sample variance of reconstructions of noisier data."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from pydantic import Field

from mri_noise.acquisition.noise import white_probes
from mri_noise.variance.estimate import CHANNELS, Channel, Moments, VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint, batch_size
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan


class MonteCarlo(VarianceMethod):
    """Pseudo multiple replicas: the variance over reconstructions of the data plus noise of the scan's covariance.

    Robson 2008, doi:10.1002/mrm.21728. It needs no linearisation, and so shows what a network does to noise of
    this size; its magnitude variance is that of |f(y + n)| itself.
    """

    title: ClassVar[str] = "Monte Carlo"
    expert: ClassVar[frozenset[str]] = frozenset({"batch"})
    linearises: ClassVar[bool] = False
    sample_name: ClassVar[str] = "replicas"
    channels: ClassVar[tuple[Channel, ...]] = CHANNELS
    can_stop: ClassVar[bool] = True
    counted_by: ClassVar[str] = "n_replicas"
    kind: Literal["monte-carlo"] = "monte-carlo"
    n_replicas: int = Field(200, ge=2, description="Number of noise realisations")
    batch: int | None = Field(None, ge=1, description="Replicas computed at once; none: what suits the device")

    def __call__(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None = None
    ) -> Iterator[VarianceEstimate]:
        """Refine the variance replica by replica."""
        moments = Moments(centred=True)
        shape = point.noise_shaping.in_shape
        noises = white_probes(
            self.n_replicas, shape, generator, point.kspace, draw="gaussian", chunk=batch_size(self.batch, point)
        )
        for noise in noises:
            with torch.no_grad():
                replicas = point.reconstruct(point.kspace + point.noise_shaping(noise))
            moments.add(replicas - point.image, replicas.abs() - point.image.abs())
            yield moments.estimate(n_evaluations=moments.n_samples, n_total=self.n_replicas)


def planned_replicas(
    point: OperatingPoint,
    plan: Plan,
    generator: torch.Generator,
    channels: Sequence[Channel],
    *,
    chunk: int,
    n_before: int,
) -> Iterator[VarianceEstimate]:
    """As many replicas as a plan says after ``n_before`` evaluations: some channels of them, in the object."""
    for estimate in MonteCarlo(n_replicas=plan.n_signs, batch=chunk)(point, generator):
        only = estimate.only(*channels, region=point.object)
        yield replace(only, n_evaluations=n_before + estimate.n_evaluations, plan=plan)
