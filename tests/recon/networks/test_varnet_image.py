import pytest
import torch

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft
from mri_noise.recon.blocks.primitives import to_channels, to_complex
from mri_noise.recon.networks.varnet_image import ImageVarNet, ImageVarNetSettings
from mri_noise.recon.reconstructor import Reconstructor
from tests.problems import Problem, equispaced, problem
from tests.recon import references

SMALL = ImageVarNetSettings(n_cascades=2, widths=(3, 4), sensitivity_n_channels=2, sensitivity_n_pools=1, scale="rms")


def tiny(rows: int, columns: int, n_coils: int) -> Problem:
    return problem(rows, columns, n_coils, equispaced(rows, columns, 2, 2))


def corrected_maps(network: ImageVarNet, encoding: Sense) -> torch.Tensor:
    """S + U(S), at the root sum of squares of S."""
    maps = encoding.coil_maps
    raw = maps + to_complex(network.map_network(to_channels(maps)), maps)
    return raw * (torch.linalg.vector_norm(maps, dim=0) / torch.linalg.vector_norm(raw, dim=0))


@pytest.mark.parametrize("shape", [(6, 9, 3), (7, 4, 1)])
def test_is_unrolled_descent_with_corrected_maps(shape: tuple[int, int, int]) -> None:
    p = tiny(*shape)
    network = SMALL().double()
    assert isinstance(network, Reconstructor)
    maps = corrected_maps(network, p.encoding)
    assert (maps - p.encoding.coil_maps).abs().max() > 1e-3
    expected = network.cascades(p.kspace, Sense(maps, p.encoding.mask))
    torch.testing.assert_close(network(p.kspace, p.encoding), expected)
    torch.testing.assert_close(
        network.predict_kspace(p.kspace, p.encoding), centered_fft(maps * expected[None]), rtol=1e-6, atol=1e-9
    )


def test_where_there_are_no_maps_none_are_made() -> None:
    p = tiny(8, 6, 3)
    maps = p.encoding.coil_maps.clone()
    maps[:, :2] = 0
    image = SMALL().double()(p.kspace, Sense(maps, p.encoding.mask))
    assert image.isfinite().all()
    torch.testing.assert_close(
        SMALL().double()._corrected(Sense(maps, p.encoding.mask)).coil_power, maps.abs().square().sum(0)
    )


def test_gradients_stay_finite_where_maps_are_constant_or_missing() -> None:
    """The map of a single coil is one where there is signal and zero elsewhere: it has no imaginary part."""
    p = problem(8, 6, 1, equispaced(8, 6, 2, 2), dtype=torch.complex64)
    maps = torch.ones(1, 8, 6, dtype=torch.complex64)
    maps[:, :3] = 0
    network = SMALL()
    network(p.kspace, Sense(maps, p.encoding.mask)).abs().square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), name


@pytest.mark.parametrize("shape", [(6, 9, 3), (7, 4, 1)])
def test_jacobian_is_exact(shape: tuple[int, int, int]) -> None:
    p = tiny(*shape)
    references.assert_jacobian_is_exact(SMALL().double(), p.kspace, p.encoding)


def test_leading_axes_are_independent_and_scale_is_undone() -> None:
    p = tiny(5, 8, 3)
    references.assert_leading_axes_are_independent_and_scale_is_undone(SMALL().double(), p.encoding)


def test_both_networks_can_be_trained() -> None:
    p = tiny(5, 6, 3)
    network = SMALL().double()
    network(p.kspace, p.encoding).abs().square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


def test_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = SMALL()
    torch.testing.assert_close(torch.get_rng_state(), state)
    torch.manual_seed(2)
    torch.testing.assert_close(first.state_dict(), SMALL().state_dict(), rtol=0, atol=0)


def test_maps_of_frozen_weights_are_corrected_once_for_an_encoding() -> None:
    p = tiny(8, 6, 3)
    network = SMALL().double().eval()
    assert network._corrected(p.encoding) is not network._corrected(p.encoding), "while gradients are wanted"
    network.requires_grad_(False)
    kept = network._corrected(p.encoding)
    assert network._corrected(p.encoding) is kept
    other = Sense(p.encoding.coil_maps, p.encoding.mask)
    assert network._corrected(other) is not kept
    before = network(p.kspace, p.encoding)
    for weight in network.map_network.parameters():
        weight.add_(0.1)
    after = network(p.kspace, p.encoding)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, network.requires_grad_(True)(p.kspace, p.encoding))
