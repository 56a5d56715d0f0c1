"""The U-Net baseline of meddlr, with its parameter names."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from mri_noise.arrays import Image, Samples
from mri_noise.operators.encoding import Encoding, require_rows_and_columns
from mri_noise.recon.blocks.fastmri_unet import UNet, seeded
from mri_noise.recon.blocks.primitives import to_channels, to_complex
from mri_noise.recon.blocks.scale import Scale, at_unit_scale
from mri_noise.recon.reconstruction import NetworkSettings


class MeddlrUNetSettings(NetworkSettings):
    """A U-Net from the zero-filled image straight to the reconstructed one."""

    title: ClassVar[str] = "meddlr U-Net, random weights"
    offered: ClassVar[bool] = False

    kind: Literal["meddlr-unet"] = "meddlr-unet"
    n_channels: int = Field(32, ge=1, description="Channels at full resolution, doubled at each pooling")
    n_pools: int = Field(4, ge=1, description="Number of poolings")
    scale: Scale = Field("percentile", description="What of the zero-filled image is scaled to one before the network")
    seed: int = Field(0, ge=0, description="Seed of the initial weights")

    def __call__(self) -> "MeddlrUNet":
        """Return the network with its initial weights."""
        with seeded(self.seed):
            return MeddlrUNet(self)


class MeddlrUNet(nn.Module):
    """x = s U(z / s) for the coil-combined image z = A^H y, and s the 95th percentile of its magnitude.

    Its layers are those of fastMRI's U-Net, with real and imaginary part as channels; it predicts the image itself.

    Source: Desai 2023, doi:10.1002/mrm.29759.
    """

    replayable = True

    def __init__(self, settings: MeddlrUNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.unet = UNet(2, 2, settings.n_channels, settings.n_pools)

    def forward(self, kspace: Samples, encoding: Encoding) -> Image:
        """Reconstruct k-space of any leading axes, each independently."""
        require_rows_and_columns(encoding, "a U-Net")
        return self.refine(encoding.adjoint(kspace))

    def refine(self, zero_filled: Image) -> Image:
        """Predict the image from the zero-filled one."""
        return at_unit_scale(self._predict, zero_filled, self.settings.scale)

    def _predict(self, image: Image) -> Image:
        return to_complex(self.unet(to_channels(image)), image)
