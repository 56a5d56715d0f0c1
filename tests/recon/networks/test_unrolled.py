import pytest
import torch
from torch import Tensor

from mri_noise.recon.networks.unrolled import Unrolled, UnrolledSettings
from mri_noise.recon.reconstructor import Reconstructor
from tests.problems import Problem, equispaced, problem
from tests.recon import references

SMALL = UnrolledSettings(n_steps=3, n_blocks=2, n_features=4)
MULTISCALE = UnrolledSettings(n_steps=2, n_gradient_steps=3, denoiser="multiscale", widths=(3, 4))
SHAPES = [(6, 9, 3), (7, 4, 1)]


def tiny(rows: int, columns: int, n_coils: int) -> Problem:
    return problem(rows, columns, n_coils, equispaced(rows, columns, 2, 2))


def written_out(network: Unrolled, p: Problem, kspace: Tensor) -> Tensor:
    """The equations of the network, with a dense encoding and its state dict."""
    weights, matrix = network.state_dict(), references.dense(p.encoding)
    back = (matrix.mH @ kspace.flatten()).reshape(p.encoding.in_shape)
    size = back.abs().square().mean().sqrt()
    x = back = back / size
    for i in range(network.settings.n_steps):
        gradient = (matrix.mH @ matrix @ x.flatten()).reshape(x.shape) - back
        x = x + weights[f"step_sizes.{i}"] * gradient
        shared = network.settings.share_weights
        x = references.residual_cnn(weights, f"regularisers.{0 if shared else i}", network.settings.n_blocks, x)
    return size * x


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share_weights", [False, True])
def test_equals_its_equations(shape: tuple[int, int, int], share_weights: bool) -> None:
    p = tiny(*shape)
    network = SMALL.model_copy(update={"share_weights": share_weights})().double()
    with torch.no_grad():
        for i, step_size in enumerate(network.step_sizes):
            step_size.fill_(-1.5 + 0.4 * i)
    assert isinstance(network, Reconstructor)
    torch.testing.assert_close(network(p.kspace, p.encoding), written_out(network, p, p.kspace))


@pytest.mark.parametrize("shape", SHAPES)
def test_with_momentum_and_multiscale_networks_equals_its_equations(shape: tuple[int, int, int]) -> None:
    p = tiny(*shape)
    network = MULTISCALE().double()
    weights, matrix = network.state_dict(), references.dense(p.encoding)
    back = (matrix.mH @ p.kspace.flatten()).reshape(p.encoding.in_shape)
    size = back.abs().square().mean().sqrt()
    x = back = back / size
    for i in range(2):
        before, velocity = x, torch.zeros_like(x)
        for j in range(3):
            momentum = weights[f"momenta.{i}"][j - 1] if j else 0
            gradient = (matrix.mH @ matrix @ x.flatten()).reshape(x.shape) - back
            velocity = momentum * velocity + weights[f"step_sizes.{i}"][j] * gradient
            x = x + velocity
        x = references.multiscale(weights, f"regularisers.{i}.", (3, 4), x, before)
    torch.testing.assert_close(network(p.kspace, p.encoding), size * x)


def test_initial_steps_and_shared_weights() -> None:
    separate, shared = (SMALL.model_copy(update={"share_weights": share})() for share in (False, True))
    assert torch.cat(list(separate.step_sizes)).tolist() == [-2.0] * 3
    n_separate, n_shared = (sum(w.numel() for w in network.regularisers.parameters()) for network in (separate, shared))
    assert n_separate == 3 * n_shared


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", ["rms", "percentile", "none"])
def test_jacobian_is_exact(shape: tuple[int, int, int], scale: str) -> None:
    p = tiny(*shape)
    network = UnrolledSettings.parse({**SMALL.model_dump(), "scale": scale})().double()
    references.assert_jacobian_is_exact(network, p.kspace, p.encoding)


@pytest.mark.parametrize("shape", SHAPES)
def test_jacobian_with_momentum_and_multiscale_networks_is_exact(shape: tuple[int, int, int]) -> None:
    p = tiny(*shape)
    references.assert_jacobian_is_exact(MULTISCALE().double(), p.kspace, p.encoding)


@pytest.mark.parametrize("settings", [SMALL, MULTISCALE], ids=lambda settings: settings.denoiser)
def test_leading_axes_are_independent_and_scale_is_undone(settings: UnrolledSettings) -> None:
    p = tiny(5, 8, 3)
    network = settings().double()
    references.assert_leading_axes_are_independent_and_scale_is_undone(network, p.encoding)


def test_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = SMALL()
    torch.testing.assert_close(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second, other = SMALL(), SMALL.model_copy(update={"seed": 1})()
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)
    assert not torch.equal(first.regularisers[0].last.weight, other.regularisers[0].last.weight)


@pytest.mark.parametrize("settings", [SMALL, MULTISCALE], ids=lambda settings: settings.denoiser)
def test_weights_can_be_trained(settings: UnrolledSettings) -> None:
    p = tiny(5, 6, 3)
    network = settings().double()
    network(p.kspace, p.encoding).abs().square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name
