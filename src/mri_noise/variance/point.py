"""The operating point: a reconstruction, the data it is applied to, and the noise of those data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import torch

from mri_noise.arrays import Image, KSpace, Mask
from mri_noise.encoding import Sense
from mri_noise.linop import Jacobian, LinearOperator
from mri_noise.noise import Colouring, Noise
from mri_noise.variance.image_domain import ImageDomain


@dataclass(frozen=True)
class OperatingPoint:
    """Where a reconstruction is linearised.

    Attributes
    ----------
    reconstruct
        Image of k-space, shape (*batch, coils, rows, columns) -> (*batch, rows, columns).
    replayable
        Whether its nonlinear parts are steps of :mod:`mri_noise.replay`.
    kspace : shape (coils, rows, columns)
    image : shape (rows, columns)
    colouring
        L, which turns white noise into the noise of ``kspace``.
    object : shape (rows, columns)
        Where the noise is asked for; methods that sample the whole image look no further.
    image_domain
        How the image comes from the zero-filled one, for reconstructions that see nothing else; None for others.
    """

    reconstruct: Callable[[KSpace], Image]
    replayable: bool
    kspace: KSpace
    image: Image
    colouring: Colouring
    object: Mask
    image_domain: ImageDomain | None = None

    @cached_property
    def jacobian(self) -> Jacobian:
        """J, recorded when it is first needed."""
        make = Jacobian.of_steps if self.replayable else Jacobian.of_any
        return make(self.reconstruct, self.kspace)


def operating_point(
    reconstructor: Callable[..., Image], kspace: KSpace, encoding: Sense, noise: Noise, region: Mask | None = None
) -> OperatingPoint:
    """Reconstruct k-space, and return where its reconstruction is to be linearised.

    The object is the region, or without one everything inside the coil maps.
    """
    reconstruct = partial(reconstructor, encoding=encoding)
    with torch.no_grad():
        image = reconstruct(kspace)
    colouring, refine = Colouring.of(noise, encoding.mask, kspace.dtype), getattr(reconstructor, "refine", None)
    return OperatingPoint(
        reconstruct=reconstruct,
        replayable=getattr(reconstructor, "replayable", False),
        kspace=kspace,
        image=image,
        colouring=colouring,
        object=encoding.coil_power > 0 if region is None else region,
        image_domain=refine and ImageDomain(refine, encoding.adjoint(kspace), encoding.coil_maps, colouring),
    )


def batch_size(batch: int | None, point: OperatingPoint) -> int:
    """The batch that was chosen, or the quickest one: 2 on the CPU, whose caches larger ones overflow, 16 on a GPU."""
    return batch or (16 if point.kspace.is_cuda else 2)


def noise_jacobian(point: OperatingPoint, *, chunk: int) -> LinearOperator:
    """B = J L: from white noise to image noise, to first order.

    The noise covariance of the image is B B^H with J = d f / d y through everything in f.
    """
    return point.jacobian.in_chunks(chunk) @ point.colouring
