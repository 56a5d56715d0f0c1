"""Random weights in the layouts of others: their names and shapes, written down from their networks."""

import torch
from torch import Tensor

MEDDLR_ORDERS = {("act", "conv"): 1, ("norm", "act", "conv"): 2, ("norm", "act", "drop", "conv"): 3}
"""Position of the convolution among the layers of a block, by the order of the layers."""


def draw(shapes: dict[str, tuple[int, ...]], seed: int = 0, prefix: str = "") -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {prefix + name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def blank(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Zeros, where only shapes matter."""
    return {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}


def _conv_block(name: str, n_in: int, n_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.layers.0.weight": (n_out, n_in, 3, 3), f"{name}.layers.4.weight": (n_out, n_out, 3, 3)}


def unet(n_in: int, n_out: int, n_channels: int, n_pools: int, prefix: str = "") -> dict[str, tuple[int, ...]]:
    """The U-Net that fastMRI and meddlr have in common."""
    shapes = _conv_block("down_sample_layers.0", n_in, n_channels)
    n = n_channels
    for i in range(1, n_pools):
        shapes |= _conv_block(f"down_sample_layers.{i}", n, 2 * n)
        n *= 2
    shapes |= _conv_block("conv", n, 2 * n)
    for i in range(n_pools):
        shapes[f"up_transpose_conv.{i}.layers.0.weight"] = (2 * n, n, 2, 2)
        shapes |= _conv_block(f"up_conv.{i}" if i < n_pools - 1 else f"up_conv.{i}.0", 2 * n, n)
        n //= 2
    shapes |= {
        f"up_conv.{n_pools - 1}.1.weight": (n_out, n_channels, 1, 1),
        f"up_conv.{n_pools - 1}.1.bias": (n_out,),
    }
    return {prefix + name: shape for name, shape in shapes.items()}


def fastmri_varnet(
    n_cascades: int, n_channels: int, n_pools: int, sensitivity_n_channels: int, sensitivity_n_pools: int
) -> dict[str, tuple[int, ...]]:
    shapes = unet(2, 2, sensitivity_n_channels, sensitivity_n_pools, "sens_net.norm_unet.unet.")
    for i in range(n_cascades):
        shapes[f"cascades.{i}.dc_weight"] = (1,)
        shapes |= unet(2, 2, n_channels, n_pools, f"cascades.{i}.model.unet.")
    return shapes


def _meddlr_resnet(name: str, n_blocks: int, n_features: int, kernel: int, position: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for block in range(n_blocks):
        n_in = n_features if block else 2
        for convolution, n in enumerate((n_in, n_features)):
            layer = f"{name}.res_blocks.{block}.layers.{convolution}.layers.{position}"
            shapes |= {f"{layer}.weight": (n_features, n, kernel, kernel), f"{layer}.bias": (n_features,)}
        if n_in != n_features:
            resample = f"{name}.res_blocks.{block}.resample"
            shapes |= {f"{resample}.weight": (n_features, n_in, 1, 1), f"{resample}.bias": (n_features,)}
    return shapes | {f"{name}.final_layer.weight": (2, n_features, kernel, kernel), f"{name}.final_layer.bias": (2,)}


def meddlr_unrolled(
    n_steps: int, n_blocks: int, n_features: int, *, shared: bool = False, kernel: int = 3, position: int = 1
) -> dict[str, tuple[int, ...]]:
    names = ["resnets"] if shared else [f"resnets.{i}" for i in range(n_steps)]
    shapes = {f"step_sizes.{i}": (1,) for i in range(n_steps)}
    for name in names:
        shapes |= _meddlr_resnet(name, n_blocks, n_features, kernel, position)
    return shapes


def with_steps(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The step sizes of gradient descent."""
    steps = [name for name in tensors if "step_sizes." in name]
    return tensors | {name: torch.tensor([-1.8 + 0.3 * i]) for i, name in enumerate(steps)}
