"""The networks of fastMRI, written plainly: one image at a time, dense Fourier matrices, weights by their names."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Weights = dict[str, Tensor]


def random_weights(module: nn.Module, seed: int = 0) -> Weights:
    """Give a module random double-precision weights, all of them nonzero, and return them by name."""
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: torch.rand(tensor.shape, generator=generator, dtype=torch.float64) * (0.5 if tensor.ndim == 1 else 1)
        - (0 if "dc_weight" in name else 0.4)
        for name, tensor in module.state_dict().items()
    }
    module.double().load_state_dict(weights)
    return weights


def under(prefix: str, weights: Weights) -> Weights:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _activate(x: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
    normalised = (x - mean) / torch.sqrt(variance + 1e-5)
    return torch.where(normalised > 0, normalised, 0.2 * normalised)


def _block(weights: Weights, name: str, x: Tensor) -> Tensor:
    for layer in (0, 4):
        x = _activate(F.conv2d(x, weights[f"{name}.layers.{layer}.weight"], padding=1))
    return x


def _like(x: Tensor, skip: Tensor) -> Tensor:
    """Repeat the last row or column but one after the last, where pooling lost an odd one."""
    if x.shape[2] < skip.shape[2]:
        x = torch.cat([x, x[:, :, -2:-1]], 2)
    if x.shape[3] < skip.shape[3]:
        x = torch.cat([x, x[:, :, :, -2:-1]], 3)
    return x


def unet(weights: Weights, x: Tensor) -> Tensor:
    """The U-Net for (n, channels, rows, columns)."""
    n_pools = sum(name.startswith("up_transpose_conv") for name in weights)
    skips = []
    for i in range(n_pools):
        skips.append(_block(weights, f"down_sample_layers.{i}", x))
        x = F.avg_pool2d(skips[-1], kernel_size=2, stride=2)
    x = _block(weights, "conv", x)
    for i, skip in enumerate(reversed(skips)):
        up = _activate(F.conv_transpose2d(x, weights[f"up_transpose_conv.{i}.layers.0.weight"], stride=2))
        name = f"up_conv.{i}" if i < n_pools - 1 else f"up_conv.{i}.0"
        x = _block(weights, name, torch.cat([_like(up, skip), skip], 1))
    last = f"up_conv.{n_pools - 1}.1"
    return F.conv2d(x, weights[f"{last}.weight"], weights[f"{last}.bias"])


def norm_unet(weights: Weights, image: Tensor) -> Tensor:
    """The normalising U-Net for one complex image."""
    parts = [image.real, image.imag]
    means = [part.mean() for part in parts]
    deviations = [part.std(correction=1) for part in parts]
    rows, columns = image.shape
    padded_rows, padded_columns = (16 * -(-n // 16) for n in image.shape)
    top, left = (padded_rows - rows) // 2, (padded_columns - columns) // 2
    x = torch.zeros(1, 2, padded_rows, padded_columns, dtype=image.real.dtype)
    for i, (part, mean, deviation) in enumerate(zip(parts, means, deviations, strict=True)):
        x[0, i, top : top + rows, left : left + columns] = (part - mean) / deviation
    y = unet(under("unet.", weights), x)[0, :, top : top + rows, left : left + columns]
    return torch.complex(y[0] * deviations[0] + means[0], y[1] * deviations[1] + means[1])


def _fourier(size: int) -> Tensor:
    index = torch.arange(size, dtype=torch.float64) - size // 2
    return torch.exp(-2j * torch.pi * torch.outer(index, index) / size) / size**0.5


def to_image(kspace: Tensor) -> Tensor:
    rows, columns = (_fourier(n) for n in kspace.shape[-2:])
    return rows.mH @ kspace @ columns.conj()


def to_kspace(image: Tensor) -> Tensor:
    rows, columns = (_fourier(n) for n in image.shape[-2:])
    return rows @ image @ columns


def central_lines(sampled: Sequence[bool]) -> range:
    """The lines that fastMRI takes for fully sampled."""
    centre = len(sampled) // 2
    left = right = 0
    while left < centre and sampled[centre - 1 - left]:
        left += 1
    while centre + right < len(sampled) and sampled[centre + right]:
        right += 1
    n_lines = max(2 * min(left, right), 1)
    first = (len(sampled) - n_lines + 1) // 2
    return range(first, first + n_lines)


def varnet(weights: Weights, kspace: Tensor, mask: Tensor, rows: range, columns: range) -> tuple[Tensor, Tensor]:
    """The end-to-end VarNet for k-space (coils, rows, columns) with a given calibration region.

    Returns the root sum of squares of the coil images, and their combination by the learned maps.
    """
    centre = torch.zeros_like(kspace)
    for row in rows:
        for column in columns:
            centre[:, row, column] = kspace[:, row, column]
    maps = torch.stack([norm_unet(under("sens_net.norm_unet.", weights), coil) for coil in to_image(centre)])
    maps = maps / (maps.abs() ** 2).sum(0).sqrt()
    predicted = kspace
    for i in range(sum(name.endswith("dc_weight") for name in weights)):
        own = under(f"cascades.{i}.", weights)
        image = (maps.conj() * to_image(predicted)).sum(0)
        refined = norm_unet(under("model.", own), image)
        consistency = torch.where(mask, predicted - kspace, 0) * own["dc_weight"]
        predicted = predicted - consistency - to_kspace(maps * refined)
    coil_images = to_image(predicted)
    return (coil_images.abs() ** 2).sum(0).sqrt(), (maps.conj() * coil_images).sum(0)
