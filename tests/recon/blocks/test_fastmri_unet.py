import pytest
import torch

from mri_noise.recon.blocks.fastmri_unet import NormUNet, UNet, seeded
from tests.recon.fastmri_equations import norm_unet, random_weights, unet
from tests.recon.references import assert_jacobian_is_exact

TWO_POOLS = {
    "down_sample_layers.0.layers.0.weight": (3, 1, 3, 3),
    "down_sample_layers.0.layers.4.weight": (3, 3, 3, 3),
    "down_sample_layers.1.layers.0.weight": (6, 3, 3, 3),
    "down_sample_layers.1.layers.4.weight": (6, 6, 3, 3),
    "conv.layers.0.weight": (12, 6, 3, 3),
    "conv.layers.4.weight": (12, 12, 3, 3),
    "up_conv.0.layers.0.weight": (6, 12, 3, 3),
    "up_conv.0.layers.4.weight": (6, 6, 3, 3),
    "up_conv.1.0.layers.0.weight": (3, 6, 3, 3),
    "up_conv.1.0.layers.4.weight": (3, 3, 3, 3),
    "up_conv.1.1.weight": (2, 3, 1, 1),
    "up_conv.1.1.bias": (2,),
    "up_transpose_conv.0.layers.0.weight": (12, 6, 2, 2),
    "up_transpose_conv.1.layers.0.weight": (6, 3, 2, 2),
}
"""Names and shapes of fastMRI's U-Net with 1 input channel, 2 output channels, 3 channels and 2 poolings."""


def _images(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.complex128)


def test_names_and_shapes_are_fastmris() -> None:
    assert {name: tuple(x.shape) for name, x in UNet(1, 2, 3, 2).state_dict().items()} == TWO_POOLS


@pytest.mark.parametrize("shape", [(8, 12), (9, 14), (12, 11), (15, 13)], ids=str)
@pytest.mark.parametrize("n_pools", [1, 2])
def test_unet_is_the_equations(shape: tuple[int, int], n_pools: int) -> None:
    network = UNet(2, 1, 3, n_pools)
    weights = random_weights(network)
    x = _images(3, 2, *shape).real
    torch.testing.assert_close(network(x), unet(weights, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(16, 32), (9, 14), (17, 12), (7, 35)], ids=str)
def test_norm_unet_is_the_equations(shape: tuple[int, int]) -> None:
    network = NormUNet(3, 2)
    weights = random_weights(network)
    images = _images(2, 3, *shape)
    expected = torch.stack([norm_unet(weights, image) for image in images.flatten(0, 1)]).reshape(images.shape)
    torch.testing.assert_close(network(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(9, 14), (12, 11)], ids=str)
def test_unet_jacobian(shape: tuple[int, int]) -> None:
    network = UNet(2, 2, 3, 2)
    random_weights(network)
    mixing = _images(2, 2)

    def channels_mixed(image: torch.Tensor, encoding: None) -> torch.Tensor:
        x = torch.einsum("cd,...drk->...crk", mixing, image).real
        return torch.complex(*network(x.reshape(-1, *x.shape[-3:])).reshape(x.shape).unbind(-3))

    assert_jacobian_is_exact(channels_mixed, _images(2, *shape), None)


@pytest.mark.parametrize("shape", [(9, 14), (12, 11)], ids=str)
def test_norm_unet_jacobian(shape: tuple[int, int]) -> None:
    network = NormUNet(3, 2)
    random_weights(network)
    assert_jacobian_is_exact(lambda image, encoding: network(image), _images(3, *shape), None)


def test_norm_unet_scales_with_its_input() -> None:
    network = NormUNet(3, 2)
    random_weights(network)
    image = _images(9, 14)
    torch.testing.assert_close(network(1e-5 * image), 1e-5 * network(image), rtol=1e-8, atol=0)


@pytest.mark.parametrize("shape", [(4, 4), (3, 40)], ids=str)
def test_too_small_an_image_says_what_to_do(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"2 poolings .* larger than 4 x 4, got {shape[0]} x {shape[1]}; use fewer"):
        UNet(1, 1, 2, 2)(torch.zeros(1, 1, *shape))


def test_smallest_image() -> None:
    assert UNet(1, 1, 2, 2)(torch.randn(1, 1, 4, 8, generator=torch.Generator().manual_seed(0))).shape == (1, 1, 4, 8)


def test_seeded_weights_repeat_and_leave_the_global_generator_alone() -> None:
    def weights(seed: int) -> torch.Tensor:
        with seeded(seed):
            return torch.nn.Linear(3, 3).weight

    before = torch.get_rng_state()
    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))
    assert torch.equal(torch.get_rng_state(), before)
