"""The residual network that unrolled reconstructions refine their image with."""

from torch import Tensor, nn

from mri_noise.arrays import Image
from mri_noise.recon.blocks.primitives import Conv2d, laid_out, relu, to_channels, to_complex


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to the input.

    Source: He 2016, doi:10.1007/978-3-319-46493-0_38.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            Conv2d(n, out_channels, kernel_size=3, padding=1) for n in (in_channels, out_channels)
        )
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, rows, columns) to (n, out_channels, rows, columns)."""
        result = x
        for convolution in self.convolutions:
            result = convolution(relu(result))
        return result + self.shortcut(x)


class ResidualCNN(nn.Module):
    """Residual blocks and a last 3x3 convolution, added to the input; real and imaginary part are its channels.

    Source: Sandino 2020, doi:10.1109/MSP.2019.2950433.
    """

    def __init__(self, n_blocks: int, n_features: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(n, n_features) for n in (2, *[n_features] * (n_blocks - 1)))
        self.last = Conv2d(n_features, 2, kernel_size=3, padding=1)

    def forward(self, image: Image, earlier: Image | None = None) -> Image:
        """Map images, each leading axis independently; what they were earlier plays no part."""
        x = laid_out(to_channels(image), training=self.training)
        for block in self.blocks:
            x = block(x)
        return image + to_complex(self.last(x), image)
