import pytest
import torch
from torch import Tensor

from mri_noise.recon.networks.modl import MoDL, MoDLSettings
from mri_noise.recon.reconstructor import Reconstructor
from tests.problems import Problem, equispaced, problem
from tests.recon import references

SMALL = MoDLSettings(n_steps=3, n_blocks=2, n_features=4)
MULTISCALE = MoDLSettings(n_steps=3, denoiser="multiscale", widths=(3, 4), learn_lambda=False)
SHAPES = [(6, 9, 3), (7, 4, 1)]


def tiny(rows: int, columns: int, n_coils: int) -> Problem:
    return problem(rows, columns, n_coils, equispaced(rows, columns, 2, 2))


def written_out(network: MoDL, p: Problem, weights: dict[str, Tensor]) -> Tensor:
    """The equations of the network, with a dense encoding and its weights."""
    matrix = references.dense(p.encoding)
    back = (matrix.mH @ p.kspace.flatten()).reshape(p.encoding.in_shape)
    size = back.abs().square().mean().sqrt()
    x = back = back / size
    tikhonov = weights["log_tikhonov"].exp()
    for i in range(network.settings.n_steps):
        shared = network.settings.share_weights
        denoised = references.residual_cnn(weights, f"denoisers.{0 if shared else i}", network.settings.n_blocks, x)
        x = references.solve(matrix, back + tikhonov * denoised, tikhonov)
    return size * x


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share_weights", [True, False])
def test_equals_its_equations(shape: tuple[int, int, int], share_weights: bool) -> None:
    p = tiny(*shape)
    network = SMALL.model_copy(update={"share_weights": share_weights})().double()
    assert isinstance(network, Reconstructor)
    expected = written_out(network, p, network.state_dict())
    torch.testing.assert_close(network(p.kspace, p.encoding), expected, rtol=1e-8, atol=1e-9)


def written_out_with_memory(network: MoDL, p: Problem, weights: dict[str, Tensor]) -> Tensor:
    """The equations of multiscale denoisers, which end with one and see what the one before made."""
    matrix, tikhonov = references.dense(p.encoding), network.settings.initial_lambda
    back = (matrix.mH @ p.kspace.flatten()).reshape(p.encoding.in_shape)
    size = back.abs().square().mean().sqrt()
    back = back / size
    x = u = references.solve(matrix, back, tikhonov)
    for i in range(network.settings.n_steps):
        if i > 0:
            x = references.solve(matrix, back + tikhonov * u, tikhonov)
        prefix = f"denoisers.{0 if network.settings.share_weights else i}."
        u = references.multiscale(weights, prefix, network.settings.widths, x, u)
    return size * u


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share_weights", [True, False])
def test_with_multiscale_denoisers_equals_its_equations(shape: tuple[int, int, int], share_weights: bool) -> None:
    p = tiny(*shape)
    network = MULTISCALE.model_copy(update={"share_weights": share_weights})().double()
    expected = written_out_with_memory(network, p, network.state_dict())
    torch.testing.assert_close(network(p.kspace, p.encoding), expected, rtol=1e-8, atol=1e-9)


def test_gradients_of_the_weights_are_those_of_the_equations() -> None:
    p = tiny(5, 6, 3)
    network = SMALL().double()
    weights = dict(network.named_parameters())
    target = torch.randn(5, 6, dtype=torch.complex128, generator=torch.Generator().manual_seed(2))
    got, expected = (
        torch.autograd.grad((image - target).abs().square().sum(), list(weights.values()))
        for image in (network(p.kspace, p.encoding), written_out(network, p, weights))
    )
    torch.testing.assert_close(got, expected, rtol=1e-7, atol=1e-8)


def test_the_initial_weight_is_the_one_chosen() -> None:
    torch.testing.assert_close(MoDLSettings(initial_lambda=0.3, n_features=2)().tikhonov, torch.tensor(0.3))


def test_a_fixed_weight_is_no_parameter_of_the_training() -> None:
    network = MULTISCALE()
    assert not network.log_tikhonov.requires_grad
    assert "log_tikhonov" in network.state_dict()
    assert SMALL().log_tikhonov.requires_grad


def test_separate_denoisers() -> None:
    shared, separate = (SMALL.model_copy(update={"share_weights": share})() for share in (True, False))
    n_shared, n_separate = (sum(w.numel() for w in network.denoisers.parameters()) for network in (shared, separate))
    assert n_separate == 3 * n_shared


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("settings", [SMALL, MULTISCALE], ids=lambda settings: settings.denoiser)
def test_jacobian_is_exact(shape: tuple[int, int, int], settings: MoDLSettings) -> None:
    p = tiny(*shape)
    references.assert_jacobian_is_exact(settings().double(), p.kspace, p.encoding)


@pytest.mark.parametrize("settings", [SMALL, MULTISCALE], ids=lambda settings: settings.denoiser)
def test_leading_axes_are_independent_and_scale_is_undone(settings: MoDLSettings) -> None:
    p = tiny(5, 8, 3)
    network = settings().double()
    references.assert_leading_axes_are_independent_and_scale_is_undone(network, p.encoding)


def test_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = SMALL()
    torch.testing.assert_close(torch.get_rng_state(), state)
    torch.manual_seed(2)
    torch.testing.assert_close(first.state_dict(), SMALL().state_dict(), rtol=0, atol=0)
