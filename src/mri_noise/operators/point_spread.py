"""What leaving out points of k-space does to an image."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from mri_noise.arrays import CoilMaps, Mask
from mri_noise.operators.fourier import centered_fft

_AXES = (-2, -1)


def undersampled_axes(mask: Mask) -> tuple[int, ...]:
    """The axes along which a mask varies: -2 for rows, -1 for columns."""
    varies = {-2: bool((mask != mask[:1]).any()), -1: bool((mask != mask[:, :1]).any())}
    return tuple(axis for axis in _AXES if varies[axis])


def point_spread_matrix(lines: Bool[Tensor, " n"]) -> Complex[Tensor, "n n"]:
    """F^H M F of the centred orthonormal transform along one axis and a mask of its lines, complex128."""
    identity = torch.eye(len(lines), dtype=torch.complex128, device=lines.device)
    fourier = centered_fft(identity, (0,))
    return fourier[lines].mH @ fourier[lines]


@dataclass(frozen=True, eq=False)
class PointSpread:
    """A^H A as a convolution of coil images: A^H A x = sum_c conj(S_c) (p * S_c x), p the point-spread function.

    Attributes
    ----------
    coil_maps : shape (coils, rows, columns)
        S.
    mask : shape (rows, columns)
        The transform of p.
    """

    coil_maps: CoilMaps
    mask: Mask

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """The axes along which p has any width."""
        return undersampled_axes(self.mask)

    def transfer(self, reach: int | None = None) -> Float[Tensor, "rows columns"] | Complex[Tensor, "rows columns"]:
        """The transform of p, origin first: of all of it, or of what is at most ``reach`` [voxels] from its centre."""
        mask = torch.fft.ifftshift(self.mask).to(self.coil_maps.real.dtype)
        if reach is None:
            return mask
        spread = torch.fft.ifftn(mask, dim=self.axes)
        for axis in self.axes:
            n = mask.shape[axis]
            distance = torch.minimum(torch.arange(n), n - torch.arange(n)).to(mask.device)
            near = (distance <= reach).to(mask.dtype)
            spread = spread * (near[:, None] if axis == -2 else near)
        return torch.fft.fftn(spread, dim=self.axes)

    def convolve(self, coil_images: Tensor, transfer: Tensor) -> Tensor:
        """Convolve coil images, origin first, with what has this :meth:`transfer`."""
        spectrum = torch.fft.fftn(coil_images, dim=self.axes) if self.axes else coil_images
        return torch.fft.ifftn(spectrum * transfer, dim=self.axes) if self.axes else spectrum * transfer
