"""A denoiser for unrolled reconstructions that sees structures of many sizes, and errors of any size."""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from mri_noise.arrays import Image
from mri_noise.operators.replay import offset
from mri_noise.recon.blocks.primitives import (
    Conv2d,
    ConvTranspose2d,
    divide,
    laid_out,
    multiply,
    relu,
    root_mean_square,
    to_channels,
    to_complex,
)

Widths = tuple[Annotated[int, Field(ge=1)], ...]

WIDTHS: Widths = Field(
    (24, 40, 48), min_length=1, description="Channels of the multiscale denoiser at half, a quarter, ... resolution"
)
"""What the settings of networks that are built on this denoiser have in common."""

_LEAST_DETAIL = 1e-4
"""Least size of the finest detail, where the image is about one: keeps the quotient finite in an empty image."""
_N_INPUTS, _N_OUTPUTS = 9, 4
_LEAST_HALVINGS = 2
"""Times that the image is halved at least: once by the coefficients, and once by what their means are taken of."""
_INNER_GAIN, _LAST_GAIN = 0.3, 0.1
"""Initial factors on the last convolution of each block and of the network, which then changes its image little."""


class PlainBlock(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to the input.

    Source: He 2016, doi:10.1007/978-3-319-46493-0_38.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.first = Conv2d(n_features, n_features, kernel_size=3, padding=1)
        self.second = Conv2d(n_features, n_features, kernel_size=3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(_INNER_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_features, rows, columns) to the same shape."""
        return x + self.second(relu(self.first(relu(x))))


class MultiscaleDenoiser(nn.Module):
    """A residual U-Net between the Haar coefficients of images, in units of their finest detail.

    The finest diagonal detail of an image holds little but noise and incoherent aliasing, so that its root mean square
    tells how large the errors are. Details enter in this unit and corrections leave in it: a network of a given
    relative precision does an image of little noise as little harm. All work is done at half the resolution and below.

    The second input is an earlier estimate; what data consistency changed in it shows where the errors are.

    Sources: Liu 2018, doi:10.48550/arXiv.1805.07071 (wavelets as pooling); Zhang 2018,
    doi:10.1109/TIP.2018.2839891 (denoising at half resolution); Zhang 2022, doi:10.1109/TPAMI.2021.3088914 (residual
    U-Net without normalisation).

    Parameters
    ----------
    widths
        Channels at half, a quarter, ... of the resolution.
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.first = Conv2d(2 * _N_INPUTS, widths[0], kernel_size=3, padding=1)
        self.encoders = nn.ModuleList(PlainBlock(width) for width in widths)
        self.downs = nn.ModuleList(Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(widths))
        self.ups = nn.ModuleList(ConvTranspose2d(coarse, fine) for fine, coarse in pairwise(widths))
        self.decoders = nn.ModuleList(PlainBlock(width) for width in widths[:-1])
        self.last = Conv2d(widths[0], 2 * _N_OUTPUTS, kernel_size=3, padding=1)
        with torch.no_grad():
            self.last.weight.mul_(_LAST_GAIN)
            assert self.last.bias is not None
            self.last.bias.zero_()
        self.multiple = 2 ** max(len(widths), _LEAST_HALVINGS)

    def forward(self, image: Image, earlier: Image) -> Image:
        """Refine images of any size, each leading axis independently."""
        rows, columns = image.shape[-2:]
        padding = (0, -columns % self.multiple, 0, -rows % self.multiple)
        bands, change = haar(F.pad(image, padding)), haar(F.pad(image - earlier, padding))
        scale = offset(root_mean_square(bands[..., -1, :, :]), by=torch.tensor(_LEAST_DETAIL)).unsqueeze(-3)
        coarse, details = bands[..., :1, :, :], bands[..., 1:, :, :]
        relative = divide(torch.cat([_without_mean(coarse), details, change], dim=-3), scale)
        correction = self._network(torch.cat([coarse / 2, relative], dim=-3))
        return image + inverse_haar(multiply(correction, scale))[..., :rows, :columns]

    def _network(self, maps: Tensor) -> Tensor:
        """Map complex (..., 9, rows, columns) to (..., 4, rows, columns)."""
        x = to_channels(maps).reshape(-1, 2 * _N_INPUTS, *maps.shape[-2:])
        x, skips = self.first(laid_out(x, training=self.training)), []
        for encoder, down in zip(self.encoders[:-1], self.downs, strict=True):
            skips.append(encoder(x))
            x = down(skips[-1])
        x = self.encoders[-1](x)
        for up, decoder in zip(reversed(self.ups), reversed(self.decoders), strict=True):
            x = decoder(skips.pop() + up(x))
        x = self.last(x)
        return to_complex(x.reshape(-1, 2, *x.shape[-2:]), maps[..., :_N_OUTPUTS, :, :])


def haar(image: Image) -> Tensor:
    """Orthonormal Haar coefficients of one level, (..., 2 rows, 2 columns) -> (..., 4, rows, columns).

    The bands are: mean, horizontal, vertical and diagonal detail (Haar 1910, doi:10.1007/BF01456326).
    """
    a, b = image[..., ::2, ::2], image[..., ::2, 1::2]
    c, d = image[..., 1::2, ::2], image[..., 1::2, 1::2]
    return torch.stack([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], dim=-3) / 2


def inverse_haar(bands: Tensor) -> Image:
    """Undo :func:`haar`."""
    mean, across, down, diagonal = bands.unbind(-3)
    even = torch.stack([mean + across + down + diagonal, mean - across + down - diagonal], dim=-1)
    odd = torch.stack([mean + across - down - diagonal, mean - across - down + diagonal], dim=-1)
    return torch.stack([even.flatten(-2), odd.flatten(-2)], dim=-2).flatten(-3, -2) / 2


def _without_mean(maps: Tensor) -> Tensor:
    """Subtract the mean of each block of 2x2."""
    rows, columns = maps.shape[-2:]
    blocks = maps.reshape(*maps.shape[:-2], rows // 2, 2, columns // 2, 2)
    return (blocks - blocks.mean((-3, -1), keepdim=True)).reshape(maps.shape)
