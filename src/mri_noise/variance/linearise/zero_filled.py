"""Reconstructions of the zero-filled image, and the noise of that image."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mri_noise.acquisition.noise import NoiseShaping, mix_coils
from mri_noise.arrays import CoilMaps, Image
from mri_noise.operators.encoding import undersampled_axes

_AXES = (-2, -1)


@dataclass(frozen=True)
class ImageDomain:
    """A reconstruction that sees k-space through the zero-filled image alone: x = U(A^H y).

    Attributes
    ----------
    refine
        U, of shape (*batch, rows, columns) -> (*batch, rows, columns).
    zero_filled : shape (rows, columns)
        A^H y.
    coil_maps : shape (coils, rows, columns)
        S.
    noise_shaping
        M L, from white noise to that of k-space.
    """

    refine: Callable[[Image], Image]
    zero_filled: Image
    coil_maps: CoilMaps
    noise_shaping: NoiseShaping

    def covariance(self, images: Image, reach: int | None = None) -> Image:
        """Apply A^H Psi A, or only what it has between voxels at most ``reach`` apart along each undersampled axis.

        It is (L^H S)^H P (L^H S), where P convolves with the point-spread function of the sampling mask. Memory holds
        the coil images of one image at a time.
        """
        flat, transfer = images.reshape(-1, *images.shape[-2:]), self._transfer(reach)
        return torch.stack([self._apply(image, transfer) for image in flat]).reshape(images.shape)

    def _apply(self, image: Image, transfer: Tensor) -> Image:
        maps, axes = self._uncentred_maps, self._axes
        coil_images = maps * torch.fft.ifftshift(image)
        spectrum = torch.fft.fftn(coil_images, dim=axes) if axes else coil_images
        filtered = torch.fft.ifftn(spectrum * transfer, dim=axes) if axes else spectrum * transfer
        return torch.fft.fftshift((maps.conj() * filtered).sum(0))

    @cached_property
    def _axes(self) -> tuple[int, ...]:
        return undersampled_axes(self.noise_shaping.mask)

    @cached_property
    def _uncentred_maps(self) -> CoilMaps:
        return torch.fft.ifftshift(mix_coils(self.noise_shaping.factor.mH, self.coil_maps), dim=_AXES)

    def _transfer(self, reach: int | None) -> Tensor:
        """The sampling mask, or the transform of its point-spread function inside the reach."""
        mask = torch.fft.ifftshift(self.noise_shaping.mask).to(self.coil_maps.real.dtype)
        if reach is None:
            return mask
        spread = torch.fft.ifftn(mask, dim=self._axes)
        for axis in self._axes:
            n = mask.shape[axis]
            distance = torch.minimum(torch.arange(n), n - torch.arange(n)).to(mask.device)
            near = (distance <= reach).to(mask.dtype)
            spread = spread * (near[:, None] if axis == -2 else near)
        return torch.fft.fftn(spread, dim=self._axes)
