"""Reconstructions of the zero-filled image, and the noise of that image."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mri_noise.acquisition.noise import NoiseShaping, mix_coils
from mri_noise.arrays import CoilMaps, Image
from mri_noise.operators.point_spread import PointSpread
from mri_noise.pickling import fields_alone

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
    point_spread
        A^H A as a convolution of coil images.
    noise_shaping
        M L, from white noise to that of k-space.
    """

    refine: Callable[[Image], Image]
    zero_filled: Image
    point_spread: PointSpread
    noise_shaping: NoiseShaping

    __getstate__ = fields_alone

    def covariance(self, images: Image, reach: int | None = None) -> Image:
        """Apply A^H Psi A, or only what it has between voxels at most ``reach`` apart along each undersampled axis.

        It is (L^H S)^H P (L^H S), where P convolves with the point-spread function of the sampling mask. Memory holds
        the coil images of one image at a time.
        """
        flat, transfer = images.reshape(-1, *images.shape[-2:]), self.point_spread.transfer(reach)
        return torch.stack([self._apply(image, transfer) for image in flat]).reshape(images.shape)

    def _apply(self, image: Image, transfer: Tensor) -> Image:
        maps = self._uncentred_maps
        filtered = self.point_spread.convolve(maps * torch.fft.ifftshift(image), transfer)
        return torch.fft.fftshift((maps.conj() * filtered).sum(0))

    @cached_property
    def _uncentred_maps(self) -> CoilMaps:
        mixed = mix_coils(self.noise_shaping.factor.mH, self.point_spread.coil_maps)
        return torch.fft.ifftshift(mixed, dim=_AXES)
