"""Reconstruction by a U-Net on the zero-filled image."""

from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from mri_noise.arrays import Image, KSpace, Samples
from mri_noise.operators.cartesian import require_cartesian
from mri_noise.operators.encoding import Encoding, require_rows_and_columns
from mri_noise.operators.fourier import centered_ifft
from mri_noise.operators.replay import Factor, Step, Tangent, root_sum_of_squares
from mri_noise.recon.blocks.fastmri_unet import UNet, seeded
from mri_noise.recon.blocks.primitives import divide, multiply, standard_deviation, to_channels, to_complex
from mri_noise.recon.blocks.scale import at_unit_scale
from mri_noise.recon.reconstruction import NetworkSettings

_LIMIT = 6.0


class UNetSettings(NetworkSettings):
    """A U-Net on the zero-filled image."""

    title: ClassVar[str] = "U-Net, random weights"
    offered: ClassVar[bool] = False

    kind: Literal["unet"] = "unet"
    in_channels: Literal[1, 2] = Field(
        2, description="2: real and imaginary part of the coil-combined image; 1: root-sum-of-squares magnitude"
    )
    n_channels: int = Field(32, ge=1, description="Channels at full resolution, doubled at each pooling")
    n_pools: int = Field(4, ge=1, description="Number of poolings")
    seed: int = Field(0, ge=0, description="Seed of the initial weights")

    def __call__(self) -> "UNetReconstructor":
        """Return the network with its initial weights."""
        with seeded(self.seed):
            return UNetReconstructor(self)


class UNetReconstructor(nn.Module):
    """A U-Net on the zero-filled image, with one or two channels.

    Two channels: x = z + s U(z / s) for the coil-combined image z = A^H y of root mean square s; U predicts a residual.

    One channel, the baseline of fastMRI: x = d U(clip((r - m) / d)) + m for the root-sum-of-squares magnitude r of
    the zero-filled coil images, of mean m and standard deviation d over the image. Clipping at 6 standard deviations
    is part of the published network, at inference too: a voxel beyond adds no noise of its own. The constant 1e-11 that
    is added to d there is left out, so that the units of the data do not matter. x is real.

    Source: Zbontar 2018, doi:10.48550/arXiv.1811.08839.
    """

    replayable = True

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.of_magnitudes = settings.in_channels == 1
        self.unet = UNet(settings.in_channels, settings.in_channels, settings.n_channels, settings.n_pools)

    def forward(self, kspace: Samples, encoding: Encoding) -> Image:
        """Reconstruct k-space of any leading axes, each independently; magnitudes need it Cartesian (TypeError)."""
        if self.refine is None:
            require_cartesian(encoding, "the U-Net of magnitudes")
            return self._from_magnitude(kspace)
        require_rows_and_columns(encoding, "a U-Net")
        return self.refine(encoding.adjoint(kspace))

    @property
    def refine(self) -> Callable[[Image], Image] | None:
        """What is done to the zero-filled image, where nothing else is seen."""
        return None if self.settings.in_channels == 1 else self._from_complex

    def _from_complex(self, image: Image) -> Image:
        return image + at_unit_scale(self._residual, image, "rms")

    def _residual(self, image: Image) -> Image:
        return to_complex(self.unet(to_channels(image)), image)

    def _from_magnitude(self, kspace: KSpace) -> Image:
        magnitude = root_sum_of_squares(centered_ifft(kspace), dim=-3)
        x = magnitude.reshape(-1, 1, *kspace.shape[-2:])
        mean, deviation = x.mean((-2, -1), keepdim=True), standard_deviation(x)
        result = self.unet(clip(divide(x - mean, deviation), limit=_LIMIT))
        return (multiply(result, deviation) + mean).reshape(magnitude.squeeze(-3).shape).to(kspace.dtype)


@Step
def clip(x: Tensor, *, limit: float) -> Tensor:
    """Limit values to +- ``limit``."""
    return x.clamp(-limit, limit)


@clip.derivative
def _(x: Tensor, *, limit: float) -> Tangent:
    return Factor((x.abs() <= limit).to(x.real.dtype))
