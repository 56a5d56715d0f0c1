"""The operating point: a reconstruction, the data it is applied to, and the noise of those data."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from mri_noise.acquisition.noise import Noise, NoiseShaping, white_probes
from mri_noise.arrays import GridImage, GridMask, Samples
from mri_noise.machine.measure import Meter, free_memory
from mri_noise.operators.encoding import Encoding
from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.linop import LinearOperator
from mri_noise.pickling import fields_alone
from mri_noise.variance.control_variates.controls import Controls
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.linearise.draws import Draws, opposite
from mri_noise.variance.linearise.precision import Arithmetic, Derivative, linearised, quickest
from mri_noise.variance.linearise.zero_filled import ImageDomain

_BATCH_ON_CPU, _LARGEST_BATCH = 2, 32
"""Larger ones overflow the caches of a CPU, and keep a GPU no busier."""
_FORWARDS_OF_A_PROBE = 8
"""Memory of a probe, whose adjoint product keeps a graph, in reconstructions; half of what is free stays so."""


@dataclass(frozen=True)
class OperatingPoint:
    """Where a reconstruction is linearised.

    Attributes
    ----------
    reconstruct
        Image of k-space, shape (*batch, coils, *samples) -> (*batch, *grid).
    replayable
        Whether its nonlinear parts are steps of :mod:`mri_noise.operators.replay`.
    kspace : shape (coils, *samples)
    image : shape (*grid)
    encoding
        A, from the image to ``kspace``.
    noise_shaping
        L, which turns white noise into the noise of ``kspace``.
    object : shape (*grid)
        Where the noise is asked for; methods that sample the whole image look no further.
    image_domain
        How the image comes from the zero-filled one, for reconstructions that see nothing else; None for others.
    forward_memory
        What reconstructing took at its peak, on a GPU [bytes].
    tangents
        Arithmetic of the derivative: "auto" for bfloat16 where that is quicker and as good.
    draws
        Noise over which the derivative of each step is averaged; None: the derivative is that at ``kspace``.
    """

    reconstruct: Callable[[Samples], GridImage]
    replayable: bool
    kspace: Samples
    image: GridImage
    encoding: Encoding
    noise_shaping: NoiseShaping
    object: GridMask
    image_domain: ImageDomain | None = None
    forward_memory: int = 0
    tangents: Arithmetic = "full"
    draws: Draws | None = None

    __getstate__ = fields_alone

    @cached_property
    def fitting_batch(self) -> int:
        """The quickest batch for which there is memory, found when it is first needed."""
        return fitting_batch(self.kspace.device, self.forward_memory)

    @cached_property
    def controls(self) -> Controls | None:
        """Control variates of its noise, made when they are first needed; None where there are none."""
        return Controls.of(self.encoding, self.noise_shaping)

    @cached_property
    def derivative(self) -> Derivative:
        """J for sampling, recorded when it is first needed."""
        return self._recorded(self.fitting_batch)

    def record(self, *, chunk: int) -> None:
        """Record J now, with so many forward passes at once."""
        self.__dict__["derivative"] = self._recorded(chunk)

    @property
    def jacobian(self) -> Jacobian:
        """J in full precision."""
        return self.derivative.exact

    @property
    def is_averaged(self) -> bool:
        """Whether the derivative is averaged over noise."""
        return self.derivative.exact.values is not None

    @property
    def n_evaluations(self) -> int:
        """Network-sized passes over which the derivative is averaged."""
        values = self.derivative.exact.values
        return 0 if values is None else len(values)

    @cached_property
    def direction(self) -> GridImage:
        """What turns the noise of the image into that of its magnitude, Re(conj(w) dx): shape (*grid).

        w is exp(i phi) of the image, or its mean over the noise where the derivative is averaged too: of a modulus
        below one where the noise changes the phase.
        """
        values = self.derivative.exact.values
        return unit_phase(self.image) if values is None else unit_phase(values).mean(0)

    def replicas(self, draws: Draws, *, chunk: int, skipped: int = 0) -> Iterator[GridImage]:
        """Images of the data with the noise n of some draws added, and taken from them: shape (batch, 2, *grid)."""
        for data in self._around(draws, max(chunk // 2, 1), skipped):
            with torch.no_grad():
                yield self.reconstruct(data).unflatten(0, (-1, 2))

    def image_jacobian(self, domain: ImageDomain) -> Jacobian:
        """The derivative for sampling of a reconstruction with respect to its zero-filled image."""
        probe = self.encoding.adjoint(self._probe)
        entered = self.derivative.exact.entered(domain.refine, domain.zero_filled, probe)
        if entered is None:
            around = None if self.draws is None else self._around(self.draws, max(self.fitting_batch // 2, 1))
            images = None if around is None else map(self.encoding.adjoint, around)
            entered = linearised(domain.refine, domain.zero_filled, probe, replayable=self.replayable, around=images)
        return self._quickest(entered, probe).jacobian

    def _recorded(self, chunk: int) -> Derivative:
        around = None if self.draws is None else self._around(self.draws, max(chunk // 2, 1))
        full = linearised(self.reconstruct, self.kspace, self._probe, replayable=self.replayable, around=around)
        return self._quickest(full, self._probe)

    def _quickest(self, full: Jacobian, probe: Tensor) -> Derivative:
        return Derivative(full, None, full) if self.tangents == "full" else quickest(full, probe, self.object)

    def _around(self, draws: Draws, chunk: int, skipped: int = 0) -> Iterator[Samples]:
        for white in draws.white(self.noise_shaping, self.kspace, chunk=chunk, skipped=skipped):
            yield self.kspace + opposite(self.noise_shaping(white))

    @property
    def _probe(self) -> Samples:
        """Noise that a derivative is tried with."""
        generator = torch.Generator().manual_seed(0)
        shape = self.noise_shaping.in_shape
        return self.noise_shaping(next(white_probes(1, shape, generator, self.kspace, draw="gaussian", chunk=1)))[0]


def operating_point(
    reconstructor: Callable[..., GridImage],
    kspace: Samples,
    encoding: Encoding,
    noise: Noise,
    region: GridMask | None = None,
    *,
    tangents: Arithmetic = "full",
    draws: Draws | None = None,
) -> OperatingPoint:
    """Reconstruct k-space, and return where its reconstruction is to be linearised.

    The object is the region, or without one everything inside the coil maps. With draws of noise the derivative is
    averaged over it, if the reconstruction is made of steps.
    """
    reconstruct = partial(reconstructor, encoding=encoding)
    with torch.no_grad(), Meter(kspace.device) if kspace.is_cuda else nullcontext() as meter:
        image = reconstruct(kspace)
    noise_shaping = NoiseShaping.of(noise, encoding.sampled, kspace.dtype)
    return OperatingPoint(
        reconstruct=reconstruct,
        replayable=getattr(reconstructor, "replayable", False),
        kspace=kspace,
        image=image,
        encoding=encoding,
        noise_shaping=noise_shaping,
        object=encoding.coil_power > 0 if region is None else region,
        image_domain=_image_domain(reconstructor, kspace, encoding, noise_shaping),
        forward_memory=0 if meter is None else meter.cost.peak_memory,
        tangents=tangents,
        draws=draws,
    )


def _image_domain(
    reconstructor: Callable[..., GridImage], kspace: Samples, encoding: Encoding, noise_shaping: NoiseShaping
) -> ImageDomain | None:
    """How the image comes from the zero-filled one; None without a point-spread function too."""
    refine, point_spread = getattr(reconstructor, "refine", None), encoding.point_spread
    if refine is None or point_spread is None:
        return None
    return ImageDomain(refine, encoding.adjoint(kspace), point_spread, noise_shaping)


def batch_size(batch: int | None, point: OperatingPoint) -> int:
    """The batch that was chosen, or the one that suits the device."""
    return batch or point.fitting_batch


def fitting_batch(device: torch.device, forward_memory: int) -> int:
    """The quickest batch: 2 on the CPU; on a GPU as large as its free memory allows, and at most 32.

    ``forward_memory`` is that of one reconstruction [bytes].
    """
    if device.type != "cuda":
        return _BATCH_ON_CPU
    n_fitting = free_memory(device) // max(_FORWARDS_OF_A_PROBE * forward_memory, 1)
    return min(max(n_fitting, 1), _LARGEST_BATCH)


def noise_jacobian(point: OperatingPoint, *, chunk: int) -> LinearOperator:
    """B = J L, for sampling: from white noise to image noise, to first order.

    The noise covariance of the image is B B^H with J = d f / d y through everything in f, at the data or averaged over
    noise as large as theirs: of all linear maps B n the mean derivative leaves the least of f(y + n) (Stein 1981,
    doi:10.1214/aos/1176345632).
    """
    return point.derivative.jacobian.in_chunks(chunk) @ point.noise_shaping


def exact_noise_jacobian(point: OperatingPoint, *, chunk: int) -> LinearOperator:
    """B in full precision, for exact answers."""
    return point.jacobian.in_chunks(chunk) @ point.noise_shaping
