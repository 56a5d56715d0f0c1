"""Probes that hold one colour of an image at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from mri_noise.arrays import Image, Mask
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.control_variates.controls import Controls
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian
from mri_noise.variance.plan import Plan


@dataclass(frozen=True, slots=True)
class Probed:
    """What has come of a probe so far.

    Attributes
    ----------
    product : shape (rows, columns)
        conj(v_i) (B B^T v_c)_i / 2, where v_c is the part of the probe v of the colour c of voxel i; NaN where
        still to come, and where the probe is zero.
    n_probes
        Parts probed so far; each took an adjoint and a forward product.
    """

    product: Image
    n_probes: int


def occupied(colours: Int[Tensor, "rows columns"], region: Mask) -> Tensor:
    """The colours that a region holds, in ascending order: the others need no probe."""
    return torch.unique(colours[region.cpu()])


def probe_colours(
    operator: LinearOperator, probe: Image, colours: Int[Tensor, "rows columns"], *, chunk: int
) -> Iterator[Probed]:
    """Apply B B^T to a probe of unit modulus, one colour after the other.

    With random signs or phases in v the product has the expectation of the variances along v: what other voxels of
    the same colour add has the expectation zero.
    """
    colours = colours.to(probe.device)
    region = probe != 0
    product = torch.full_like(probe, torch.nan)
    n_probes = 0
    for batch in torch.split(occupied(colours.cpu(), region), chunk):
        parts = colours == batch.to(probe.device)[:, None, None]
        parts = parts & region
        answers = operator(operator.adjoint(parts * probe)) * probe.conj() / 2
        product = torch.where(parts.any(0), (answers * parts).sum(0), product)
        n_probes += len(batch)
        yield Probed(product, n_probes)


@dataclass(frozen=True, eq=False)
class BothProducts:
    """Probes any reconstruction: an adjoint and a forward product a probe.

    Attributes
    ----------
    operator
        B, from white noise to the image.
    chunk
        Probes computed at once.
    controls
        Control variates for forward products that take the place of a lattice.
    """

    n_evaluations: ClassVar[int] = 2
    """Of a probe."""
    operator: LinearOperator
    chunk: int
    controls: Controls | None = None

    @classmethod
    def of(cls, point: OperatingPoint, *, chunk: int) -> "BothProducts":
        """Those of the noise at an operating point."""
        return cls(noise_jacobian(point, chunk=chunk), chunk, point.controls)

    def __call__(self, probe: Image, colours: Int[Tensor, "rows columns"], plan: Plan) -> Iterator[Probed]:
        """Apply B B^T to a probe, one colour after the other."""
        yield from probe_colours(self.operator, probe, colours, chunk=self.chunk)
