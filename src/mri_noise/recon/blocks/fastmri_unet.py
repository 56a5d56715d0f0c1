"""The U-Net, plain and normalising, with the parameter names and shapes of fastMRI's published weights."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mri_noise.arrays import Image
from mri_noise.recon.blocks.primitives import (
    Conv2d,
    ConvTranspose2d,
    InstanceNormLeakyReLU,
    divide,
    multiply,
    standard_deviation,
    to_channels,
    to_complex,
)

_PADDED_MULTIPLE = 16


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed, and leave torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each followed by instance normalisation and leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            OrderedDict(  # numbered as in the published weights, which count dropout and activation as layers
                {
                    "0": Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
                    "1": InstanceNormLeakyReLU(),
                    "4": Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
                    "5": InstanceNormLeakyReLU(),
                }
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, rows, columns) to (n, out_channels, rows, columns)."""
        return self.layers(x)


class TransposeConvBlock(nn.Module):
    """A 2x2 transposed convolution of stride 2, instance normalisation and leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvTranspose2d(in_channels, out_channels),
            InstanceNormLeakyReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, rows, columns) to (n, out_channels, 2 rows, 2 columns)."""
        return self.layers(x)


class UNet(nn.Module):
    """The U-Net of the fastMRI baselines, for real images of any size.

    ``n_channels`` is the number of channels at full resolution; it doubles with each of the ``n_pools`` poolings.

    Sources: Ronneberger 2015, doi:10.1007/978-3-319-24574-4_28; Zbontar 2018, doi:10.48550/arXiv.1811.08839.
    """

    def __init__(self, in_channels: int, out_channels: int, n_channels: int, n_pools: int) -> None:
        super().__init__()
        widths = [n_channels * 2**level for level in range(n_pools + 1)]
        self.n_pools = n_pools
        self.down_sample_layers = nn.ModuleList(
            ConvBlock(n_in, n_out) for n_in, n_out in pairwise([in_channels, *widths[:-1]])
        )
        self.conv = ConvBlock(widths[-2], widths[-1])
        self.up_transpose_conv = nn.ModuleList(TransposeConvBlock(2 * n, n) for n in widths[-2::-1])
        up_conv: list[nn.Module] = [ConvBlock(2 * n, n) for n in widths[-2::-1]]
        up_conv[-1] = nn.Sequential(up_conv[-1], Conv2d(n_channels, out_channels, kernel_size=1))
        self.up_conv = nn.ModuleList(up_conv)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, rows, columns) to (n, out_channels, rows, columns).

        Raises
        ------
        ValueError
            If poolings leave less than two pixels of the image.
        """
        self._check_size(*x.shape[-2:])
        skips = []
        for down in self.down_sample_layers:
            x = down(x)
            skips.append(x)
            x = F.avg_pool2d(x, 2)
        x = self.conv(x)
        for transpose, conv in zip(self.up_transpose_conv, self.up_conv, strict=True):
            skip = skips.pop()
            x = conv(torch.cat([_reflect_to(transpose(x), skip), skip], dim=1))
        return x

    def scale_last_layer(self, gain: float) -> None:
        """Multiply the weights of the last layer."""
        with torch.no_grad():
            for weight in list(self.up_conv[-1].children())[-1].parameters():
                weight.mul_(gain)

    def _check_size(self, rows: int, columns: int) -> None:
        if (rows >> self.n_pools) * (columns >> self.n_pools) < 2:
            smallest = 2**self.n_pools
            raise ValueError(
                f"a U-Net with {self.n_pools} poolings needs an image larger than {smallest} x {smallest}, "
                f"got {rows} x {columns}; use fewer poolings"
            )


def _reflect_to(x: Tensor, like: Tensor) -> Tensor:
    """Add the last row or column that pooling an odd size left out, by reflection."""
    missing_rows, missing_columns = (like.shape[axis] - x.shape[axis] for axis in (-2, -1))
    if missing_rows or missing_columns:
        return F.pad(x, (0, missing_columns, 0, missing_rows), "reflect")
    return x


class NormUNet(nn.Module):
    """U-Net between complex images whose real and imaginary parts are each standardised before and restored after.

    Source: Sriram 2020, doi:10.48550/arXiv.2004.06688.
    """

    def __init__(self, n_channels: int, n_pools: int) -> None:
        super().__init__()
        self.unet = UNet(2, 2, n_channels, n_pools)

    def scale_last_layer(self, gain: float) -> None:
        """Multiply the weights of the last layer, whose output is the network's but for mean and deviation."""
        self.unet.scale_last_layer(gain)

    def forward(self, image: Image) -> Image:
        """Map images, each leading axis independently."""
        x = to_channels(image)
        mean, deviation = x.mean((-2, -1), keepdim=True), standard_deviation(x)
        rows, columns = (_padding(n) for n in x.shape[-2:])
        padded = F.pad(divide(x - mean, deviation), (*columns, *rows))
        unpadded = F.pad(self.unet(padded), tuple(-n for n in (*columns, *rows)))
        return to_complex(multiply(unpadded, deviation) + mean, image)


def _padding(size: int) -> tuple[int, int]:
    """Split evenly what is missing to a multiple of 16, the odd one after."""
    missing = -size % _PADDED_MULTIPLE
    return missing // 2, missing - missing // 2
