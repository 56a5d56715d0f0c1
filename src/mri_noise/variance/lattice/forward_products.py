"""Forward products of random probes, in which control variates take the place of what they explain."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mri_noise.acquisition.noise import white_probes
from mri_noise.arrays import Image, Mask, RealMap
from mri_noise.variance.calibration import (
    GROWTH_BETWEEN_FITS,
    SAMPLES_BEFORE_THE_FIRST_FIT,
    SAMPLES_LEARNED_FROM,
    SHARED_UNEXPLAINED,
)
from mri_noise.variance.control_variates.compact import packed, picked
from mri_noise.variance.control_variates.controls import Controls
from mri_noise.variance.control_variates.regression import local_coefficients
from mri_noise.variance.estimate import Channel, ChannelVariance, VarianceEstimate, unit_phase
from mri_noise.variance.lattice.bundles import Bundle
from mri_noise.variance.lattice.directions import Task
from mri_noise.variance.lattice.errors import Sums, nrmse, pooled
from mri_noise.variance.lattice.probes import BothProducts
from mri_noise.variance.plan import Plan
from mri_noise.variance.sampling.sketch import sketch

_VOXELS_AT_ONCE, _SAMPLES_AT_ONCE = 1024, 8


class _Samples(NamedTuple):
    """Some samples of noise, :func:`packed`.

    Attributes
    ----------
    sense_image : shape (batch, rows, columns, 2)
    zero_filled : shape (batch, voxels, 2)
        In the region.
    channels : shape (batch, 2, voxels)
        The network's image there, along its phase and across it.
    """

    sense_image: Tensor
    zero_filled: Tensor
    channels: Tensor

    def at(self, part: slice) -> "_Samples":
        """Some of them."""
        return _Samples(*(values[part] for values in self))

    def room(self, n: int) -> "_Samples":
        """Room for n such samples."""
        return _Samples(*(values.new_empty(n, *values.shape[1:]) for values in self))

    def put(self, first: int, samples: "_Samples") -> None:
        """Keep samples from a place on."""
        for own, new in zip(self, samples, strict=True):
            own[first : first + len(new)] = new


@dataclass(slots=True)
class ControlledMoments:
    """Running moments of the noise along the phase of an image and across it, less what control variates explain.

    With the controls z of a voxel, whose covariance is known, and u = Re(sum_k a_k z_k) close to the noise y,
    E y^2 is the mean of y^2 - u^2 over the samples plus E u^2, which is known. Where u leaves a share epsilon of the
    variance unexplained, the squared error is 2 epsilon - epsilon^2 of that of the mean of y^2 (Glasserman 2003,
    Monte Carlo Methods in Financial Engineering, section 4.1). Coefficients are learned from the samples themselves,
    more and more of them, and these make use of that too: what this adds to E u^2 it takes from the mean, to first
    order. Once there are enough, no more are kept, so that memory does not grow with their number.

    Parameters
    ----------
    controls
    region
        Voxels whose noise is asked for.
    against_phase : shape (rows, columns)
        exp(-i phi) of the image.
    """

    controls: Controls
    region: Mask
    against_phase: Image
    n_samples: int = 0
    _n_learned: int = 0
    _voxels: Int[Tensor, "voxels 2"] = field(init=False)
    _kept: _Samples | None = None
    _coefficients: Complex[Tensor, "2 controls voxels"] | None = None
    _explained: Float[Tensor, "2 voxels"] | None = None
    _sums: Sums = field(init=False)

    def __post_init__(self) -> None:
        self._voxels = self.region.nonzero()
        self._sums = self._nothing()

    def add(self, white: Tensor, perturbations: Image) -> None:
        """Take in probes, shape (batch, coils, rows, columns), and what they do to the image."""
        zero_filled = self.controls.zero_filled(white)
        turned = (self.against_phase * perturbations)[..., self.region]
        samples = _Samples(
            packed(self.controls.sense_image(zero_filled)),
            packed(zero_filled[..., self.region]),
            packed(torch.stack([turned.real, turned.imag], 1)),
        )
        self._sum(samples)
        if self._n_learned < SAMPLES_LEARNED_FROM:
            self._keep(samples)
        self.n_samples += len(turned)
        if self._kept is not None and self.n_samples >= max(
            SAMPLES_BEFORE_THE_FIRST_FIT, GROWTH_BETWEEN_FITS * self._n_learned
        ):
            self._learn(self._kept.at(slice(self.n_samples)))

    def estimate(self, n_total: int) -> VarianceEstimate:
        """A snapshot: the variances of the magnitude and of the complex image in the region, NaN outside."""
        n, means = self.n_samples, self._sums.mean
        if n > 1:
            errors = [pooled(self._map(each), self.region).sqrt() for each in self._sums.variance_of_mean]
        else:
            errors = [self._map(torch.full_like(each, torch.inf)) for each in means]
        variances = [self._map(each.clamp_min(0)) for each in means]
        return VarianceEstimate(
            {
                "magnitude": ChannelVariance(variances[0], errors[0]),
                "complex": ChannelVariance(variances[2], errors[2]),
            },
            n_samples=n,
            n_evaluations=n,
            n_total=n_total,
        )

    def _map(self, values: Float[Tensor, " voxels"]) -> RealMap:
        found = torch.full(self.region.shape, torch.nan, dtype=values.dtype, device=values.device)
        found[self.region] = values
        return found

    def _keep(self, samples: _Samples) -> None:
        n_new = len(samples.channels)
        if self._kept is None:
            self._kept = samples.room(SAMPLES_LEARNED_FROM + n_new)
        self._kept.put(self.n_samples, samples)

    def _learn(self, kept: _Samples) -> None:
        """Learn coefficients from the samples so far, and sum these up anew; let go of them if they are enough."""
        self._coefficients = local_coefficients(
            kept.channels,
            partial(self._controls, kept),
            self.region,
            self.controls.deviation,
            neighbour=SAMPLES_BEFORE_THE_FIRST_FIT / self.n_samples,
        )
        self._explained = self._known_variance(self._coefficients)
        self._n_learned = self.n_samples
        self._sums = self._nothing()
        for first in range(0, self.n_samples, _SAMPLES_AT_ONCE):
            self._sum(kept.at(slice(first, first + _SAMPLES_AT_ONCE)))
        if self._n_learned >= SAMPLES_LEARNED_FROM:
            self._kept = None

    def _controls(self, samples: _Samples, numbers: Int[Tensor, " some"]) -> Complex[Tensor, "batch controls some"]:
        """Samples of the controls of some voxels of the region, against the phase there."""
        voxels, dtype = self._voxels[numbers], self.against_phase.dtype
        around = self.controls.beside(samples.sense_image, voxels)
        own = picked(samples.zero_filled, numbers, dtype)
        rows, columns = voxels.T
        return torch.cat([around, own[:, None]], 1) * self.against_phase[rows, columns]

    def _known_variance(self, coefficients: Complex[Tensor, "2 controls voxels"]) -> Float[Tensor, "2 voxels"]:
        """E u^2 = a G a^H / 2."""
        voxels = self._voxels.split(_VOXELS_AT_ONCE)
        parts = []
        for part, each in zip(voxels, coefficients.permute(0, 2, 1).split(_VOXELS_AT_ONCE, dim=1), strict=True):
            filtered = torch.einsum("cvk,vkl->cvl", each, self.controls.covariance(part))
            parts.append((filtered * each.conj()).sum(-1).real.double() / 2)
        return torch.cat(parts, dim=1)

    def _sum(self, samples: _Samples) -> None:
        """Add y^2 - u^2 + E u^2 and its square, along the phase, across it and of both."""
        rest = samples.channels.double().square()
        if self._coefficients is not None and self._explained is not None:
            rest = rest - self._followed(samples).square() + self._explained
        self._sums = self._sums.plus(torch.cat([rest, rest.sum(1, keepdim=True)], 1))

    def _nothing(self) -> Sums:
        return Sums.zeros(3, len(self._voxels), device=self._voxels.device)

    def _followed(self, samples: _Samples) -> Float[Tensor, "batch 2 voxels"]:
        """What the controls make of the channels."""
        assert self._coefficients is not None
        parts = []
        for numbers in torch.arange(len(self._voxels), device=self._voxels.device).split(_VOXELS_AT_ONCE):
            coefficients, controls = self._coefficients[..., numbers], self._controls(samples, numbers)
            parts.append((coefficients * controls[:, None]).sum(2).real)
        return torch.cat(parts, dim=-1)


def forward_products(
    products: BothProducts, image: Image, region: Mask, generator: torch.Generator, *, n_probes: int
) -> Iterator[VarianceEstimate]:
    """The variances of the magnitude and of the complex image in a region, by forward products of random probes."""
    operator, chunk = products.operator, products.chunk
    if products.controls is None:
        for estimate in sketch(operator, image, generator, n_probes=n_probes, chunk=chunk):
            yield estimate.only("magnitude", "complex", region=region)
        return
    moments = ControlledMoments(products.controls, region, unit_phase(image).conj())
    for white in white_probes(n_probes, operator.in_shape, generator, image, draw="random phase", chunk=chunk):
        moments.add(white, operator(white))
        yield moments.estimate(n_probes)


def squared_error_share(variance: Float[Tensor, " voxels"], unexplained: Float[Tensor, " voxels"]) -> float:
    """Share of the squared error of forward products that is left, by what controls of some voxels leave of theirs."""
    left = (SHARED_UNEXPLAINED * unexplained).clamp_max(1)
    total = float(variance.sum())
    return float((variance * (2 * left - left.square())).sum()) / total if total > 0 else 1.0


def share_of_bundles(bundles: Sequence[Bundle]) -> float:
    """The same by the pilots of some bundles."""
    return squared_error_share(
        torch.cat([bundle.variance for bundle in bundles]), torch.cat([bundle.unexplained for bundle in bundles])
    )


def until_accurate(
    estimates: Iterable[VarianceEstimate], region: Mask, plan: Plan, channel: Channel, *, most: int, n_before: int
) -> Iterator[VarianceEstimate]:
    """Go on until the measured error of a channel in a region is within the target of a plan, or to ``most`` products.

    The plan says about how many that takes, and by how much the bound of an error is above its expectation.
    """
    bound = plan.upper_bound / plan.nrmse
    n_least = min(plan.n_signs, SAMPLES_BEFORE_THE_FIRST_FIT)
    for estimate in estimates:
        n_samples = estimate.n_samples
        variance, error = estimate.channels[channel]
        accurate = n_samples > 1 and bound * nrmse(pooled(variance, region), error.square(), region) <= plan.target
        ends = (accurate and n_samples >= n_least) or n_samples == most
        yield replace(
            estimate,
            n_evaluations=n_before + estimate.n_evaluations,
            n_total=n_samples if ends else max(plan.n_signs, n_samples + 1),
            plan=plan,
        )
        if ends:
            return


def take_forward_products(
    products: BothProducts,
    image: Image,
    region: Mask,
    plan: Plan,
    generator: torch.Generator,
    *,
    task: Task,
    n_before: int,
) -> Iterator[VarianceEstimate]:
    """As many as bring the measured error within the target.

    Those of the magnitude without control variates are as many as the law of sampling says; noise of the complex image
    that is not circular takes more than that.
    """
    channels = task.directions.channels
    if task.directions.n == 1 and products.controls is None:
        for estimate in forward_products(products, image, region, generator, n_probes=plan.n_signs):
            only = estimate.only(*channels, region=region)
            yield replace(only, n_evaluations=n_before + estimate.n_evaluations, plan=plan)
        return
    most = task.max_evaluations - n_before
    estimates = forward_products(products, image, region, generator, n_probes=most)
    for estimate in until_accurate(estimates, region, plan, channels[-1], most=most, n_before=n_before):
        yield estimate.only(*channels, region=region)
