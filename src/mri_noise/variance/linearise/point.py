"""The operating point: a reconstruction, the data it is applied to, and the noise of those data."""

from collections.abc import Callable
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
        return self._derivative(self.reconstruct, self.kspace, self._probe)

    @cached_property
    def jacobian(self) -> Jacobian:
        """J in full precision, recorded when it is first needed."""
        return self.derivative.jacobian if self.derivative.rounding is None else self._linearised()

    def image_jacobian(self, domain: ImageDomain) -> Jacobian:
        """The derivative for sampling of a reconstruction with respect to its zero-filled image."""
        return self._derivative(domain.refine, domain.zero_filled, self.encoding.adjoint(self._probe)).jacobian

    def _derivative(self, function: Callable[[Tensor], GridImage], at: Tensor, probe: Tensor) -> Derivative:
        if self.tangents == "full":
            return Derivative(linearised(function, at, probe, replayable=self.replayable), None)
        return quickest(function, at, probe, self.object, replayable=self.replayable)

    def _linearised(self) -> Jacobian:
        return linearised(self.reconstruct, self.kspace, self._probe, replayable=self.replayable)

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
) -> OperatingPoint:
    """Reconstruct k-space, and return where its reconstruction is to be linearised.

    The object is the region, or without one everything inside the coil maps.
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

    The noise covariance of the image is B B^H with J = d f / d y through everything in f.
    """
    return point.derivative.jacobian.in_chunks(chunk) @ point.noise_shaping


def exact_noise_jacobian(point: OperatingPoint, *, chunk: int) -> LinearOperator:
    """B in full precision, for exact answers."""
    return point.jacobian.in_chunks(chunk) @ point.noise_shaping
