import torch
from torch import Tensor, nn

from mri_noise.operators.jacobian import Jacobian
from mri_noise.recon.blocks.fastmri_unet import seeded
from mri_noise.recon.blocks.multiscale import MultiscaleDenoiser
from mri_noise.recon.blocks.primitives import Conv2d, ConvTranspose2d, laid_out, relu, to_channels, to_complex


def _random(*shape: int, dtype: torch.dtype = torch.complex64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_convolutions_are_those_of_torch() -> None:
    x = _random(2, 3, 8, 6, dtype=torch.float64)
    for ours, plain in (
        (Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)),
        (Conv2d(3, 4, 2, stride=2, bias=False), nn.Conv2d(3, 4, 2, stride=2, bias=False)),
        (ConvTranspose2d(3, 4), nn.ConvTranspose2d(3, 4, 2, stride=2, bias=False)),
    ):
        plain.load_state_dict(ours.state_dict())
        torch.testing.assert_close(ours.double()(x), plain.double()(x))


def test_what_is_laid_out_keeps_its_values_with_channels_last() -> None:
    x = _random(2, 5, 6, 7, dtype=torch.float32)
    found = laid_out(x, training=False)
    assert torch.equal(found, x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    weights = _random(2, 5, 6, 7, dtype=torch.float32).square()
    gradient = torch.func.grad(lambda values: (weights * laid_out(values, training=True)).sum())(x)
    assert torch.equal(gradient, weights)


def test_networks_with_channels_last_can_be_mapped_over() -> None:
    """As the published sketch does, whose probes are all traced at once."""
    with seeded(0):
        network = MultiscaleDenoiser((3, 4)).requires_grad_(False)
    image, probes = _random(8, 16), _random(3, 8, 16)
    traced = torch.func.vmap(lambda v: torch.func.jvp(lambda x: network(x, x), (image,), (v,))[1])(probes)
    recorded = Jacobian.of_steps(lambda x: network(x, x), image)
    torch.testing.assert_close(traced, recorded(probes), rtol=1e-4, atol=1e-5)


def test_maps_between_rounded_layers_are_in_bfloat16_with_channels_last() -> None:
    seen = []

    def watched(x: Tensor) -> Tensor:
        seen.append((x.dtype, x.is_contiguous(memory_format=torch.channels_last)))
        return x

    first, second = (Conv2d(n, m, 3, padding=1).requires_grad_(False) for n, m in ((2, 4), (4, 2)))

    def function(image: Tensor) -> Tensor:
        maps = watched(first(laid_out(to_channels(image), training=False)))
        return to_complex(second(watched(relu(maps))), image)

    rounded = Jacobian.of_steps(function, _random(1, 8, 10)).rounded(torch.bfloat16)
    assert rounded is not None
    seen.clear()
    assert rounded(_random(2, 1, 8, 10)).dtype == torch.complex64
    assert seen == [(torch.bfloat16, True)] * 2
