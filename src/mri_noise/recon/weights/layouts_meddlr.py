"""The weights of meddlr (Desai 2021, doi:10.48550/arXiv.2111.02549), by its names and in its conventions.

Weights do not tell everything of a network. What they leave open is meddlr's default: data scaled by the 95th
percentile of the zero-filled magnitude, no normalisation inside the unrolled network, ReLU activations.
"""

import re

import torch
from torch import Tensor

from mri_noise.recon.networks.meddlr_unet import MeddlrUNet, MeddlrUNetSettings
from mri_noise.recon.networks.unrolled import Unrolled, UnrolledSettings
from mri_noise.recon.state_dict import StateDict, count, kernel_shape, unwrapped, with_weights
from mri_noise.recon.weights.layouts_fastmri import UNET_MARK, unet_sizes

_UNROLLED_MARK = r"resnets\.(?:0\.)?res_blocks\.0\.layers\.0\.layers\.\d+\.weight"
_SHARED = re.compile(r"resnets\.(?=[a-z])")
_LAYER = re.compile(r"resnets\.(\d+)\.res_blocks\.(\d+)\.layers\.(\d+)\.layers\.(\d+)\.(\w+)")
_RENAMED = (
    (_LAYER, r"regularisers.\1.blocks.\2.convolutions.\3.\5"),
    (re.compile(r"resnets\.(\d+)\.res_blocks\.(\d+)\.resample\."), r"regularisers.\1.blocks.\2.shortcut."),
    (re.compile(r"resnets\.(\d+)\.final_layer\."), r"regularisers.\1.last."),
)


def unet(tensors: StateDict) -> MeddlrUNet | None:
    """Load the U-Net baseline, from complex images to complex images; None if the tensors are not of one."""
    own = unwrapped(tensors, UNET_MARK)
    if own is None or (sizes := unet_sizes(own)).in_channels != 2:
        return None
    settings = MeddlrUNetSettings(n_channels=sizes.n_channels, n_pools=sizes.n_pools)
    return with_weights(settings, {f"unet.{name}": tensor for name, tensor in own.items()})


def unrolled(tensors: StateDict) -> Unrolled | None:
    """Load the unrolled network; None if the tensors are not of one.

    Raises
    ------
    ValueError
        If it has parts that ours has not, or its step sizes are not among the tensors.
    """
    own = unwrapped(tensors, _UNROLLED_MARK, "unrolled")
    if own is None:
        return None
    shared = any(_SHARED.match(name) for name in own)
    own = {_SHARED.sub("resnets.0.", name): tensor for name, tensor in own.items()}
    _check_layers(own)
    _check_sizes(own)
    _check_steps(own)
    settings = UnrolledSettings(
        n_steps=count(own, "step_sizes."),
        n_blocks=count(own, "resnets.0.res_blocks."),
        n_features=kernel_shape(own, "resnets.0.final_layer.weight")[1],
        share_weights=shared,
        scale="percentile",
    )
    return with_weights(settings, _as_ours(own))


def _check_layers(tensors: StateDict) -> None:
    for layer in filter(None, map(_LAYER.fullmatch, tensors)):
        name, position, kind = layer[0], layer[4], layer[5]
        if kind not in ("weight", "bias") or (kind == "weight" and tensors[name].ndim != 4):
            raise ValueError(f"the unrolled network has normalisation layers ('{name}'), which are not supported")
        if position == "0":
            raise ValueError(
                f"the unrolled network has convolutions before its activations ('{name}'); only the order "
                "activation, convolution is supported"
            )


def _check_sizes(tensors: StateDict) -> None:
    n_channels, _, *kernel = kernel_shape(tensors, "resnets.0.final_layer.weight")
    if n_channels != 2:
        raise ValueError(f"the unrolled network has {n_channels // 2} sets of coil maps; only one is supported")
    if kernel != [3, 3]:
        raise ValueError(f"the unrolled network has kernels of {kernel[0]} x {kernel[1]}; only 3 x 3 is supported")


def _check_steps(tensors: StateDict) -> None:
    steps = [tensor for name, tensor in tensors.items() if name.startswith("step_sizes.")]
    if not steps:
        raise ValueError(
            "the step sizes of the unrolled network are fixed and not in its file; "
            "add them as tensors 'step_sizes.0', 'step_sizes.1' and so on"
        )
    if all(bool((step > 0).all()) for step in steps):
        raise ValueError(
            "the unrolled network has positive step sizes, as the conjugate gradient variant of meddlr; "
            "only the gradient variant is supported"
        )


def _as_ours(tensors: StateDict) -> dict[str, Tensor]:
    """Our names; step sizes as arrays of one number; zeros for the biases of a network that has none."""
    ours = {_renamed(name): tensor for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        if name.startswith("step_sizes."):
            ours[name] = torch.atleast_1d(tensor)
    if any(name.endswith(".bias") for name in ours):
        return ours
    weights = [name for name in ours if name.endswith(".weight")]
    return ours | {name.removesuffix("weight") + "bias": torch.zeros(ours[name].shape[:1]) for name in weights}


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    return name
