from functools import partial

import pytest
import torch

from mri_noise.operators.jacobian import Jacobian
from mri_noise.recon.networks.unet import UNetReconstructor, UNetSettings
from tests.problems import Problem, problem
from tests.recon.fastmri_equations import random_weights, to_image, under, unet
from tests.recon.references import assert_jacobian_is_exact

SHAPES = [(9, 14), (12, 11)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_kind = pytest.mark.parametrize("in_channels", [1, 2])


def _network(in_channels: int) -> UNetReconstructor:
    network = UNetSettings(in_channels=in_channels, n_channels=3, n_pools=2)()
    random_weights(network)
    return network


def _with_a_bright_voxel(shape: tuple[int, int]) -> Problem:
    """A spot of more than 6 standard deviations of the image."""
    p = problem(*shape, n_coils=3, mask=torch.ones(shape, dtype=torch.bool))
    spot = torch.zeros(shape, dtype=torch.complex128)
    spot[4, 5] = 30
    return Problem(p.encoding, p.noise, p.kspace + p.encoding(spot))


@every_shape
def test_one_channel_is_the_baseline_of_fastmri(shape: tuple[int, int]) -> None:
    network = _network(1)
    p = _with_a_bright_voxel(shape)
    magnitude = (to_image(p.kspace).abs() ** 2).sum(0).sqrt()
    mean, deviation = magnitude.mean(), magnitude.std(correction=1)
    normalised = (magnitude - mean) / deviation
    assert normalised.max() > 6
    weights = under("unet.", network.state_dict())
    expected = unet(weights, normalised.clamp(-6, 6)[None, None])[0, 0] * deviation + mean
    result = network(p.kspace, p.encoding)
    torch.testing.assert_close(result.real, expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(result.imag, torch.zeros_like(result.imag))


@every_shape
def test_two_channels_add_a_residual_at_unit_scale(shape: tuple[int, int]) -> None:
    network = _network(2)
    p = problem(*shape, n_coils=3)
    image = (p.encoding.coil_maps.conj() * to_image(p.kspace)).sum(0)
    scale = (image.abs() ** 2).mean().sqrt()
    real, imaginary = unet(under("unet.", network.state_dict()), torch.stack([image.real, image.imag])[None] / scale)[0]
    expected = image + scale * torch.complex(real, imaginary)
    torch.testing.assert_close(network(p.kspace, p.encoding), expected, rtol=1e-9, atol=1e-9)


@every_shape
@every_kind
def test_jacobian(shape: tuple[int, int], in_channels: int) -> None:
    p = _with_a_bright_voxel(shape)
    assert_jacobian_is_exact(_network(in_channels), p.kspace, p.encoding)


def test_noise_of_a_clipped_voxel_enters_by_the_normalisation_alone() -> None:
    p = _with_a_bright_voxel(SHAPES[0])
    network = _network(1)
    network.unet = torch.nn.Identity()
    jacobian = Jacobian.of_steps(partial(network, encoding=p.encoding), p.kspace)
    spot = torch.zeros(SHAPES[0], dtype=torch.complex128)
    spot[4, 5] = p.encoding.adjoint(p.kspace)[4, 5].sgn()
    # unclipped, the identity network has the magnitude itself for output, which grows there by about one
    clipped = jacobian(p.encoding(spot))[4, 5].real
    magnitude = (to_image(p.kspace).abs() ** 2).sum(0).sqrt()
    gradient = (magnitude - magnitude.mean()) / (magnitude.std() * (magnitude.numel() - 1))
    torch.testing.assert_close(clipped, 1 / magnitude.numel() + 6 * gradient[4, 5], rtol=1e-8, atol=0)


@every_kind
def test_output_scales_with_the_data(in_channels: int) -> None:
    p = problem(*SHAPES[0], n_coils=3)
    network = _network(in_channels)
    expected = 1e-5 * network(p.kspace, p.encoding)
    torch.testing.assert_close(network(1e-5 * p.kspace, p.encoding), expected, rtol=1e-8, atol=0)


@every_kind
def test_leading_axes_are_independent(in_channels: int) -> None:
    p = problem(*SHAPES[0], n_coils=3)
    network = _network(in_channels)
    weights = torch.tensor([[1, 2j, -1], [0.5, 1 + 1j, 3]], dtype=torch.complex128)
    data = weights[..., None, None, None] * p.kspace + 0.1 * p.kspace.roll(1, -1)
    together = network(data, p.encoding)
    apart = torch.stack([network(each, p.encoding) for each in data.flatten(0, 1)])
    torch.testing.assert_close(together, apart.reshape(together.shape), rtol=1e-9, atol=1e-9)


def test_single_precision_stays_single() -> None:
    p = problem(*SHAPES[0], n_coils=3, dtype=torch.complex64)
    for in_channels in (1, 2):
        network = UNetSettings(in_channels=in_channels, n_channels=2, n_pools=1)()
        assert network(p.kspace, p.encoding).dtype == torch.complex64


def test_the_seed_is_the_weights() -> None:
    first, again, other = (UNetSettings(n_channels=2, n_pools=1, seed=seed)().state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
