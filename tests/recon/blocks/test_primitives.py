from functools import partial

import pytest
import torch
from torch import Tensor, nn

from mri_noise.operators.jacobian import Jacobian
from mri_noise.recon.blocks.fastmri_unet import seeded
from mri_noise.recon.blocks.multiscale import MultiscaleDenoiser
from mri_noise.recon.blocks.primitives import (
    Conv2d,
    ConvTranspose2d,
    InstanceNormLeakyReLU,
    laid_out,
    relu,
    root_mean_square,
    standard_deviation,
    to_channels,
    to_complex,
)
from mri_noise.recon.blocks.scale import top_magnitude
from mri_noise.recon.networks.unet import clip


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


STEPS = {
    "rectifier": lambda x: relu(x.real),
    "standard deviation": lambda x: standard_deviation(x.real),
    "root mean square": root_mean_square,
    "percentile": top_magnitude,
    "clip": lambda x: clip(x.real, limit=0.8),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_mean_derivative_of_a_step_is_the_mean_of_those_at_the_points(name: str) -> None:
    function, y, v = STEPS[name], _random(2, 8, 6, dtype=torch.complex128), _random(4, 2, 8, 6, dtype=torch.complex128)
    points = y + torch.stack([0.2 * y.flip(0), -0.2 * y.roll(1, -1), 0.1j * y, 0.3 * y.conj()])
    mean = Jacobian.of_steps(function, y, around=points.split(2))
    each = [torch.stack([torch.func.jvp(function, (point,), (one,))[1] for one in v]) for point in points]
    torch.testing.assert_close(mean(v), sum(each) / len(each))


def _folded(function: nn.Module, x: Tensor) -> Tensor:
    folded: Tensor = function(x.reshape(-1, *x.shape[-3:]))
    return folded.reshape(x.shape)


def test_the_mean_of_normalisations_leaves_out_a_share_of_the_voxels() -> None:
    """With n voxels, what is left out is about 1 / n of each."""
    apart, function = [], partial(_folded, InstanceNormLeakyReLU())
    for n in (8, 32):
        y, v = (_random(*shape, 1, 2, n, n, dtype=torch.float64) for shape in ((), (3,)))
        noise = y.flip(-1).roll(3, -2)
        points = torch.stack([y + 0.3 * noise, y - 0.3 * noise])
        mean = Jacobian.of_steps(function, y, around=[points])
        each = [torch.stack([torch.func.jvp(function, (point,), (one,))[1] for one in v]) for point in points]
        expected = sum(each) / len(each)
        apart.append(float((mean(v) - expected).norm() / expected.norm()))
    assert apart[0] < 0.02
    assert apart[1] < apart[0] / 3


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
