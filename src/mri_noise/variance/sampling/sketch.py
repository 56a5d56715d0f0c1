"""The Jacobian sketch: row norms of B from random-phase probes."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field

from mri_noise.acquisition.noise import white_probes
from mri_noise.arrays import GridImage
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import CHANNELS, Channel, Moments, VarianceEstimate, unit_phase
from mri_noise.variance.linearise.point import OperatingPoint, batch_size, noise_jacobian
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan


class Sketch(VarianceMethod):
    """Jacobian sketch: mean of |B v|^2 over random-phase probes (Dalmaz et al. 2025, arXiv:2505.02007).

    Its relative error per probe is that of Monte Carlo per replica.
    """

    title: ClassVar[str] = "Jacobian sketch"
    expert: ClassVar[frozenset[str]] = frozenset({"batch"})
    sample_name: ClassVar[str] = "probes"
    channels: ClassVar[tuple[Channel, ...]] = CHANNELS
    can_stop: ClassVar[bool] = True
    counted_by: ClassVar[str] = "n_probes"
    kind: Literal["sketch"] = "sketch"
    n_probes: int = Field(100, ge=1, description="Number of random-phase probes")
    batch: int | None = Field(None, ge=1, description="Probes computed at once; none: what suits the device")

    def __call__(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None = None
    ) -> Iterator[VarianceEstimate]:
        """Refine the variance probe by probe."""
        chunk = batch_size(self.batch, point)
        operator = noise_jacobian(point, chunk=chunk)
        return sketch(operator, point.direction, generator, n_probes=self.n_probes, chunk=chunk)


def sketch(
    operator: LinearOperator, image: GridImage, generator: torch.Generator, *, n_probes: int, chunk: int
) -> Iterator[VarianceEstimate]:
    """Estimate diag(B B^H) = E|B v|^2 with white random-phase v, and the variances of the parts of B v.

    The magnitude's perturbation is the component along the image's phase: Re(exp(-i phi) B v).
    """
    moments = Moments(centred=False)
    against_phase = unit_phase(image).conj()
    probes = white_probes(n_probes, operator.in_shape, generator, image, draw="random phase", chunk=chunk)
    for batch in probes:
        perturbations = operator(batch)
        moments.add(perturbations, (against_phase * perturbations).real)
        yield moments.estimate(n_evaluations=moments.n_samples, n_total=n_probes)
