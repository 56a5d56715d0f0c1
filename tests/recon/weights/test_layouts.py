from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.recon.blocks.fastmri_unet import UNet
from mri_noise.recon.networks.meddlr_unet import MeddlrUNetSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.recon.weights.checkpoint import load_network
from mri_noise.recon.weights.layouts import LAYOUTS, recognise
from tests.problems import Problem, equispaced, problem
from tests.recon import layout_tensors as layout

EXACT = problem(11, 14, 3, equispaced(11, 14, 2, 6))
P = problem(11, 14, 3, equispaced(11, 14, 2, 6), dtype=torch.complex64)

FASTMRI_UNET = layout.unet(1, 1, 3, 2)
FASTMRI_VARNET = layout.fastmri_varnet(2, 3, 2, 2, 1)
MEDDLR_UNET = layout.unet(2, 2, 3, 2)
MEDDLR_UNROLLED = layout.meddlr_unrolled(2, 2, 4)


def image_of(network: nn.Module, p: Problem = P) -> Tensor:
    return network(p.kspace, p.encoding)


def assert_same(network: nn.Module, expected: nn.Module) -> None:
    """The same settings and the same weights make the same network."""
    assert network.settings == expected.settings
    torch.testing.assert_close(network.state_dict(), expected.state_dict(), rtol=0, atol=0)


def ours(choice: Callable[[], nn.Module], tensors: dict[str, Tensor]) -> nn.Module:
    network = choice()
    network.load_state_dict(tensors)
    return network


def percentile_scale(image: Tensor) -> float:
    """The smallest of the largest 5 % of magnitudes."""
    magnitudes = np.sort(image.abs().numpy(), axis=None)
    return float(magnitudes[-round(0.05 * magnitudes.size)])


# The images are those of the published equations


def test_fastmri_unet_makes_the_image_of_our_module() -> None:
    tensors = layout.draw(FASTMRI_UNET)
    expected = ours(
        UNetSettings(in_channels=1, n_channels=3, n_pools=2), {f"unet.{name}": t for name, t in tensors.items()}
    )
    torch.testing.assert_close(image_of(recognise(tensors)), image_of(expected), rtol=0, atol=0)


def test_fastmri_varnet_makes_the_image_of_our_module() -> None:
    tensors = layout.draw(FASTMRI_VARNET)
    choice = VarNetSettings(n_cascades=2, n_channels=3, n_pools=2, sensitivity_n_channels=2, sensitivity_n_pools=1)
    torch.testing.assert_close(image_of(recognise(tensors)), image_of(ours(choice, tensors)), rtol=0, atol=0)


def test_meddlr_unet_equals_its_equations() -> None:
    tensors = layout.draw(MEDDLR_UNET)
    unet = UNet(2, 2, 3, 2)
    unet.load_state_dict(tensors)
    zero_filled = EXACT.encoding.adjoint(EXACT.kspace)
    scale = percentile_scale(zero_filled)
    real, imaginary = unet.double()(torch.stack([zero_filled.real, zero_filled.imag])[None] / scale)[0]
    expected = scale * torch.complex(real, imaginary)
    torch.testing.assert_close(image_of(recognise(tensors).double(), EXACT), expected.detach())


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("position", layout.MEDDLR_ORDERS.values())
def test_meddlr_unrolled_equals_its_equations(shared: bool, position: int) -> None:
    shapes = layout.meddlr_unrolled(3, 2, 4, shared=shared, position=position)
    tensors = layout.with_steps(layout.draw(shapes))
    expected = meddlr_unrolled(tensors, 3, shared, position)
    torch.testing.assert_close(image_of(recognise(tensors).double(), EXACT), expected)


def meddlr_unrolled(tensors: dict[str, Tensor], n_steps: int, shared: bool, position: int) -> Tensor:
    """The unrolled network with two residual blocks a step, from its own names and with its own scale."""
    zero_filled = back_projected(EXACT.kspace)
    scale = percentile_scale(zero_filled)
    image = zero_filled = zero_filled / scale
    for i in range(n_steps):
        gradient = back_projected(centered_fft(EXACT.encoding.coil_maps * image)) - zero_filled
        image = image + tensors[f"step_sizes.{i}"] * gradient
        x = first = torch.stack([image.real, image.imag])[None]
        name = "resnets" if shared else f"resnets.{i}"
        for block in range(2):
            inside = x
            for convolution in range(2):
                layer = f"{name}.res_blocks.{block}.layers.{convolution}.layers.{position}"
                inside = conv(tensors, layer, inside.clamp_min(0))
            x = inside + (x if block else conv(tensors, f"{name}.res_blocks.0.resample", x))
        image = torch.complex(*(conv(tensors, f"{name}.final_layer", x) + first)[0])
    return scale * image


def back_projected(kspace: Tensor) -> Tensor:
    return (EXACT.encoding.coil_maps.conj() * centered_ifft(EXACT.encoding.mask * kspace)).sum(0)


def conv(tensors: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    weight, bias = tensors[f"{name}.weight"].double(), tensors.get(f"{name}.bias")
    return F.conv2d(x, weight, None if bias is None else bias.double(), padding=weight.shape[-1] // 2)


def test_meddlr_unrolled_without_biases() -> None:
    shapes = {name: shape for name, shape in MEDDLR_UNROLLED.items() if not name.endswith("bias")}
    tensors = layout.with_steps(layout.draw(shapes))
    expected = meddlr_unrolled(tensors, 2, False, 1)
    torch.testing.assert_close(image_of(recognise(tensors).double(), EXACT), expected)


def test_meddlr_steps_given_one_by_one_are_numbers() -> None:
    tensors = layout.with_steps(layout.draw(MEDDLR_UNROLLED))
    numbers = {name: t[0] if name.startswith("step") else t for name, t in tensors.items()}
    assert_same(recognise(numbers), recognise(tensors))


# Sizes


@given(st.sampled_from([1, 2]), st.integers(1, 9), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_sizes_of_a_unet(in_channels: int, n_channels: int, n_pools: int) -> None:
    network = recognise(layout.blank(layout.unet(in_channels, in_channels, n_channels, n_pools)))
    sizes = {"n_channels": n_channels, "n_pools": n_pools}
    expected = UNetSettings(in_channels=1, **sizes) if in_channels == 1 else MeddlrUNetSettings(**sizes)
    assert network.settings == expected


@given(st.integers(1, 12), st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 5), st.integers(1, 3)))
@settings(max_examples=20, deadline=None)
def test_sizes_of_a_varnet(n_cascades: int, sizes: tuple[int, int, int, int]) -> None:
    network = recognise(layout.blank(layout.fastmri_varnet(n_cascades, *sizes)))
    names = ("n_channels", "n_pools", "sensitivity_n_channels", "sensitivity_n_pools")
    assert network.settings == VarNetSettings(n_cascades=n_cascades, **dict(zip(names, sizes, strict=True)))


@given(st.integers(2, 12), st.integers(1, 4), st.integers(2, 9), st.booleans())
@settings(max_examples=20, deadline=None)
def test_sizes_of_an_unrolled_network(n_steps: int, n_blocks: int, n_features: int, shared: bool) -> None:
    shapes = layout.meddlr_unrolled(n_steps, n_blocks, n_features, shared=shared)
    network = recognise(layout.with_steps(layout.blank(shapes)))
    assert network.settings == UnrolledSettings(
        n_steps=n_steps, n_blocks=n_blocks, n_features=n_features, share_weights=shared, scale="percentile"
    )


# Wrappers, in files of every kind

EVERY_LAYOUT = [
    (FASTMRI_UNET, ["unet.", "module.", "unet._orig_mod.", "module.unet."]),
    (FASTMRI_VARNET, ["varnet.", "module.varnet.", "_orig_mod.", "model."]),
    (MEDDLR_UNET, ["model.", "model.model.", "module.model."]),
    (MEDDLR_UNROLLED, ["model.", "unrolled.", "module."]),
]
CHECKPOINTS: list[Callable[[dict[str, Tensor]], dict[str, object]]] = [
    dict,
    lambda tensors: {"state_dict": tensors, "epoch": 3, "hyper_parameters": {"chans": 3, "lr": 1e-3}},
    lambda tensors: {"model": tensors, "iteration": 7, "optimizer": {"state": {}, "param_groups": []}},
    lambda tensors: {"model": tensors, "classname": "Unet", "args": {"in_chans": 1}},
]


@pytest.mark.parametrize("wrap", CHECKPOINTS)
@pytest.mark.parametrize(("shapes", "prefixes"), EVERY_LAYOUT)
def test_wrapped_checkpoints_of_torch(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], prefixes: list[str], wrap: Callable
) -> None:
    plain = layout.with_steps(layout.draw(shapes))
    expected = recognise(plain)
    for i, prefix in enumerate(prefixes):
        path = tmp_path / f"{i}.ckpt"
        prefixed = {prefix + name: tensor for name, tensor in plain.items()}
        torch.save(wrap(prefixed | {"loss.w": torch.ones(1, 1, 7, 7)}), path)
        assert_same(load_network(path), expected)


@pytest.mark.parametrize("shapes", [shapes for shapes, _ in EVERY_LAYOUT])
def test_safetensors_and_old_files_of_torch(tmp_path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    tensors = layout.with_steps(layout.draw(shapes))
    save_file(tensors, tmp_path / "weights.pt")  # the name does not decide
    torch.save(tensors, tmp_path / "old", _use_new_zipfile_serialization=False)
    for name in ("weights.pt", "old"):
        network = load_network(tmp_path / name)
        assert_same(network, recognise(tensors))
        assert not network.training
        assert not any(weight.requires_grad for weight in network.parameters())


def test_buffers_of_early_varnets_are_left_out() -> None:
    tensors = layout.draw(FASTMRI_VARNET)
    early = tensors | {f"cascades.{i}.zero": torch.zeros(1, 1, 1, 1, 1) for i in range(2)}
    assert_same(recognise(early), recognise(tensors))


def test_half_precision_weights_compute_in_single() -> None:
    tensors = layout.draw(MEDDLR_UNET)
    halved = {name: tensor.half() for name, tensor in tensors.items()}
    rounded = {name: tensor.float() for name, tensor in halved.items()}
    assert_same(recognise(halved), recognise(rounded))


# Refusals


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {
                "backbone.weight": torch.ones(2),
                "backbone.bias": torch.ones(2),
                "head": torch.ones(1),
                "x": torch.ones(1),
            },
            r"^its 4 tensors \(backbone.weight, backbone.bias, head, ...\) are in an unknown layout; supported are",
        ),
        (layout.draw(layout.unet(2, 2, 3, 2, prefix="unet.")), r"unknown layout"),
        (layout.draw(layout.unet(4, 4, 3, 2)), r"unknown layout"),
        (
            layout.draw({name: s for name, s in FASTMRI_UNET.items() if name != "conv.layers.4.weight"}),
            r"^the tensor 'unet.conv.layers.4.weight' is missing; ",
        ),
        (
            layout.draw({name: s for name, s in FASTMRI_UNET.items() if not name.startswith("conv.")}),
            r"^the tensors 'unet.conv.layers.0.weight' and 1 more are missing; ",
        ),
        (
            layout.draw({name: s for name, s in FASTMRI_UNET.items() if name != "up_conv.1.1.weight"}),
            r"^the tensor 'up_conv.1.1.weight' is missing; ",
        ),
        (layout.draw(FASTMRI_VARNET | {"extra": (1,)}), r"^the tensor 'extra' is not of this network"),
        (
            layout.draw(FASTMRI_UNET | {"up_conv.1.1.bias": (2,)}),
            r"^the tensor 'unet.up_conv.1.1.bias' should have the shape \(1,\), got \(2,\)",
        ),
        (
            layout.draw(FASTMRI_UNET | {"down_sample_layers.0.layers.0.weight": (3, 1)}),
            r"^the tensor 'down_sample_layers.0.layers.0.weight' should be a convolution's, but its shape is \(3, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(tensors: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recognise(tensors)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (layout.draw(layout.meddlr_unrolled(2, 2, 4, kernel=5)), r"kernels of 5 x 5; only 3 x 3"),
        (layout.draw(layout.meddlr_unrolled(2, 2, 4, position=0)), r"convolutions before its activations"),
        (
            layout.draw(MEDDLR_UNROLLED | {"resnets.0.res_blocks.0.layers.0.layers.0.weight": (2,)}),
            r"normalisation layers \('resnets.0.res_blocks.0.layers.0.layers.0.weight'\)",
        ),
        (
            layout.draw(MEDDLR_UNROLLED | {"resnets.1.res_blocks.0.layers.0.layers.0.running_mean": (2,)}),
            r"normalisation layers",
        ),
        (layout.draw(MEDDLR_UNROLLED | {"resnets.0.final_layer.weight": (4, 4, 3, 3)}), r"2 sets of coil maps"),
        (layout.draw(MEDDLR_UNROLLED | {"resnets.0.pre_conv.weight": (2, 2, 3, 3)}), r"'resnets.0.pre_conv.weight'"),
        ({n: t for n, t in layout.draw(MEDDLR_UNROLLED).items() if "step" not in n}, r"'step_sizes.0'"),
        ({n: t.abs() for n, t in layout.draw(MEDDLR_UNROLLED).items()}, r"positive step sizes"),
    ],
)
def test_unsupported_parts_of_unrolled_networks_are_named(tensors: dict[str, Tensor], message: str) -> None:
    if "positive" not in message:
        tensors = layout.with_steps(tensors)
    with pytest.raises(ValueError, match=message):
        recognise(tensors)


def test_every_layout_is_named_where_none_fits() -> None:
    with pytest.raises(ValueError, match="unknown layout") as error:
        recognise({"weight": torch.ones(1)})
    assert all(name in str(error.value) for name in LAYOUTS)


def test_hyper_parameter_objects_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "lightning.ckpt"
    torch.save({"state_dict": layout.draw(FASTMRI_UNET), "hyper_parameters": Namespace(lr=1e-3)}, path)
    with pytest.raises(ValueError, match=r"Python objects \(argparse.Namespace\).*torch.save\(torch.load\(") as error:
        load_network(path)
    assert "\n" not in str(error.value)

    torch.save(torch.load(path, weights_only=False)["state_dict"], path)
    assert load_network(path).settings == UNetSettings(in_channels=1, n_channels=3, n_pools=2)
