import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_ifft
from mri_noise.operators.jacobian import Jacobian
from mri_noise.recon.networks.varnet import VarNet, VarNetSettings, sampled_centre, unit_norm
from tests.problems import Problem, problem
from tests.recon.fastmri_equations import central_lines, random_weights, varnet
from tests.recon.references import assert_jacobian_is_exact

ONE_POOL = (
    "down_sample_layers.0.layers.0.weight",
    "down_sample_layers.0.layers.4.weight",
    "conv.layers.0.weight",
    "conv.layers.4.weight",
    "up_conv.0.0.layers.0.weight",
    "up_conv.0.0.layers.4.weight",
    "up_conv.0.1.weight",
    "up_conv.0.1.bias",
    "up_transpose_conv.0.layers.0.weight",
)


def _network(n_pools: int = 1, combination: str = "rss") -> VarNet:
    network = VarNetSettings(
        n_cascades=2,
        n_channels=3,
        n_pools=n_pools,
        sensitivity_n_channels=2,
        sensitivity_n_pools=1,
        combination=combination,
    )()
    random_weights(network)
    return network


def _random_lines(shape: tuple[int, int], n_centre: int, shift: int) -> torch.Tensor:
    """Random columns, a run of sampled columns about the centre, and an unsampled one on either side of it."""
    rows, columns = shape
    line = torch.rand(columns, generator=torch.Generator().manual_seed(2)) < 0.3
    start = columns // 2 - n_centre // 2 + shift
    line[[start - 1, start + n_centre]] = False
    line[start : start + n_centre] = True
    return line.expand(rows, columns).clone()


def _scattered(shape: tuple[int, int], block: tuple[int, int]) -> torch.Tensor:
    """Random points and a sampled block about the centre, bounded on the lines through the centre of k-space."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(3)) < 0.35
    row, column = (n // 2 for n in shape)
    first = [n // 2 - m // 2 for n, m in zip(shape, block, strict=True)]
    last = [f + m for f, m in zip(first, block, strict=True)]
    mask[[first[0] - 1, last[0]], column] = False
    mask[row, [first[1] - 1, last[1]]] = False
    mask[first[0] : last[0], first[1] : last[1]] = True
    return mask


def _measured(mask: torch.Tensor, n_coils: int = 3) -> Problem:
    return problem(*mask.shape, n_coils=n_coils, mask=mask)


def _assert_equations(mask: torch.Tensor, rows: range, columns: range) -> None:
    p = _measured(mask)
    for combination in ("rss", "sense"):
        network = _network(2, combination)
        magnitude, combined = varnet(network.state_dict(), p.kspace, mask, rows, columns)
        expected = combined if combination == "sense" else magnitude.to(combined.dtype)
        torch.testing.assert_close(network(p.kspace, p.encoding), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", [(16, 32), (9, 14), (12, 17), (19, 21)], ids=str)
@pytest.mark.parametrize(("n_centre", "shift"), [(1, 0), (4, 0), (5, 0), (6, 1), (5, -1)])
def test_equations_for_lines(shape: tuple[int, int], n_centre: int, shift: int) -> None:
    mask = _random_lines(shape, n_centre, shift)
    _assert_equations(mask, range(shape[0]), central_lines(mask[0].tolist()))


@pytest.mark.parametrize(("shape", "block"), [((16, 32), (4, 6)), ((15, 18), (5, 4)), ((17, 13), (6, 3))], ids=str)
def test_equations_for_scattered_points(shape: tuple[int, int], block: tuple[int, int]) -> None:
    mask = _scattered(shape, block)
    rows, columns = mask[:, shape[1] // 2].tolist(), mask[shape[0] // 2].tolist()
    _assert_equations(mask, central_lines(rows), central_lines(columns))


def test_single_precision_is_the_equations_to_1e_5() -> None:
    mask = _random_lines((33, 46), 8, 0)
    p = _measured(mask, n_coils=5)
    network = VarNetSettings(n_cascades=3, n_channels=4, n_pools=3, sensitivity_n_channels=3)()
    single = network(p.kspace.to(torch.complex64), p.encoding).real
    double = {name: tensor.double() for name, tensor in network.state_dict().items()}
    expected, _ = varnet(double, p.kspace, mask, range(33), central_lines(mask[0].tolist()))
    assert torch.linalg.vector_norm(single - expected) < 1e-5 * torch.linalg.vector_norm(expected)


def test_names_are_fastmris() -> None:
    network = VarNetSettings(n_cascades=2, n_channels=2, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1)()
    prefixes = ("sens_net.norm_unet.unet", "cascades.0.model.unet", "cascades.1.model.unet")
    names = {f"{prefix}.{name}" for prefix in prefixes for name in ONE_POOL}
    assert set(network.state_dict()) == names | {"cascades.0.dc_weight", "cascades.1.dc_weight"}
    assert network.state_dict()["cascades.0.dc_weight"].shape == (1,)


@pytest.mark.parametrize("combination", ["rss", "sense"])
@pytest.mark.parametrize("shape", [(9, 14), (12, 11)], ids=str)
def test_jacobian(combination: str, shape: tuple[int, int]) -> None:
    p = _measured(_random_lines(shape, 4, 0))
    assert_jacobian_is_exact(_network(1, combination), p.kspace, p.encoding)


@pytest.mark.parametrize("combination", ["rss", "sense"])
def test_output_scales_with_the_data(combination: str) -> None:
    p = _measured(_random_lines((9, 14), 4, 0))
    network = _network(1, combination)
    expected = 1e-5 * network(p.kspace, p.encoding)
    torch.testing.assert_close(network(1e-5 * p.kspace, p.encoding), expected, rtol=1e-8, atol=0)


def test_leading_axes_are_independent() -> None:
    p = _measured(_random_lines((9, 14), 4, 0))
    network = _network()
    noise = torch.randn(2, 3, *p.kspace.shape, generator=torch.Generator().manual_seed(4), dtype=torch.complex128)
    data = p.kspace + noise * p.encoding.mask
    together = network(data, p.encoding)
    apart = torch.stack([network(each, p.encoding) for each in data.flatten(0, 1)])
    torch.testing.assert_close(together, apart.reshape(together.shape), rtol=1e-9, atol=1e-9)


def test_learned_maps_replace_those_of_the_encoding() -> None:
    p = _measured(_random_lines((9, 14), 4, 0))
    network = _network()
    blank = Sense(torch.zeros_like(p.encoding.coil_maps), p.encoding.mask)
    assert torch.equal(network(p.kspace, blank), network(p.kspace, p.encoding))


def test_the_seed_is_the_weights() -> None:
    small = {"n_cascades": 1, "n_channels": 2, "n_pools": 1}
    first, again, other = (VarNetSettings(**small, seed=seed)().state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(
        first["cascades.0.model.unet.conv.layers.0.weight"], other["cascades.0.model.unet.conv.layers.0.weight"]
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=3, max_size=20).filter(lambda line: len(set(line)) == 2), st.integers(2, 7))
def test_centre_of_lines_is_fastmris(line: list[bool], rows: int) -> None:
    mask = torch.tensor(line).expand(rows, -1)
    expected = torch.zeros_like(mask)
    expected[:, list(central_lines(line))] = True
    assert torch.equal(sampled_centre(mask), expected)
    assert torch.equal(sampled_centre(mask.mT), expected.mT)


@pytest.mark.parametrize("shape", [(6, 9), (7, 4)], ids=str)
def test_centre_of_fully_sampled_kspace_is_all_of_it(shape: tuple[int, int]) -> None:
    assert bool(sampled_centre(torch.ones(shape, dtype=torch.bool)).all())


def test_centre_of_partial_fourier_is_symmetric() -> None:
    mask = torch.zeros(4, 12, dtype=torch.bool)
    mask[:, 3:] = True
    assert sampled_centre(mask)[0].nonzero().flatten().tolist() == [3, 4, 5, 6, 7, 8]


def test_unit_norm_is_zero_where_all_coils_are() -> None:
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(5), dtype=torch.complex128)
    expected = x / x.abs().square().sum(0).sqrt()
    x[:, 1, 2] = expected[:, 1, 2] = 0
    torch.testing.assert_close(unit_norm(x, dim=-3), expected)
    jacobian = Jacobian.of_steps(lambda v: unit_norm(v, dim=-3), x)
    change = jacobian(torch.ones_like(x))
    assert bool((change[:, 1, 2] == 0).all())
    assert bool(torch.isfinite(torch.view_as_real(change)).all())
    gradient = torch.autograd.functional.vjp(lambda v: unit_norm(v, dim=-3), x, torch.ones_like(x))[1]
    torch.testing.assert_close(gradient, jacobian.adjoint(torch.ones_like(x)))


@pytest.mark.parametrize("combination", ["rss", "sense"])
def test_networks_of_gain_zero_leave_gradient_descent_with_the_means_that_they_restore(combination: str) -> None:
    mask = _random_lines((12, 16), 6, 0)
    p = problem(12, 16, 3, mask)
    silent = {"n_channels": 2, "n_pools": 1, "sensitivity_n_channels": 2, "sensitivity_n_pools": 1, "initial_gain": 0.0}
    network = VarNetSettings(n_cascades=1, sensitivity="refined", combination=combination, **silent)().double()
    centre = centered_ifft(p.kspace * sampled_centre(mask))
    refined = centre + centre.mean((-2, -1), keepdim=True)
    maps = refined / torch.linalg.vector_norm(refined, dim=0)
    measured = p.kspace * mask
    torch.testing.assert_close(network.sens_net(measured, mask), maps)
    mean = (maps.conj() * centered_ifft(measured)).sum(0).mean()
    images = centered_ifft(measured) - maps * mean
    combined = (maps.conj() * images).sum(0)
    expected = combined if combination == "sense" else torch.linalg.vector_norm(images, dim=0).to(combined.dtype)
    torch.testing.assert_close(network(measured, p.encoding), expected)
