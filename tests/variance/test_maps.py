import torch

from mri_noise.variance.closed_form import fully_sampled_variance, sense_variance
from mri_noise.variance.maps import acceleration, g_factor, inverse_g_factor, snr, std_error
from tests.problems import equispaced, problem


def test_g_factor_is_pruessmanns() -> None:
    """g = sqrt((C^-1)_ii C_ii) of each set of aliased voxels, C = S^H Psi^-1 S."""
    p = problem(5, 12, 4, equispaced(5, 12, 3))
    maps, psi = p.encoding.coil_maps, p.noise.covariance
    g = g_factor(sense_variance(maps, psi, p.encoding.mask), fully_sampled_variance(maps, p.noise), 3.0)
    for row, column in [(0, 0), (2, 5), (4, 11)]:
        aliases = [(column + k * 4) % 12 for k in range(3)]
        s = maps[:, row, aliases]
        c = s.mH @ torch.linalg.solve(psi, s)
        expected = (torch.linalg.inv(c)[0, 0] * c[0, 0]).real.sqrt()
        torch.testing.assert_close(g[row, column], expected)
    assert (g >= 1 - 1e-9).all()
    torch.testing.assert_close(inverse_g_factor(g) * g, torch.ones_like(g))


def test_g_factor_without_acceleration_is_one() -> None:
    p = problem(5, 12, 4, equispaced(5, 12, 1))
    variance = sense_variance(p.encoding.coil_maps, p.noise.covariance, p.encoding.mask)
    g = g_factor(variance, fully_sampled_variance(p.encoding.coil_maps, p.noise), 1.0)
    torch.testing.assert_close(g, torch.ones_like(g))


def test_acceleration_counts_points() -> None:
    assert acceleration(equispaced(4, 12, 4)) == 4
    assert acceleration(equispaced(4, 12, 4, 4)) == 2


def test_nothing_is_divided_by_zero() -> None:
    image = torch.tensor([[3 + 4j, 1]], dtype=torch.complex64)
    torch.testing.assert_close(snr(image, torch.tensor([[4.0, 0]])), torch.tensor([[2.5, 0]]))
    torch.testing.assert_close(inverse_g_factor(torch.tensor([[0.0, 2]])), torch.tensor([[0, 0.5]]))
    torch.testing.assert_close(std_error(torch.tensor([[4.0, 0]]), torch.ones(1, 2)), torch.tensor([[0.25, 0]]))


def test_what_is_not_known_stays_so() -> None:
    unknown = torch.tensor([[torch.nan]])
    assert snr(torch.ones(1, 1, dtype=torch.complex64), unknown).isnan().all()
    assert g_factor(unknown, torch.ones(1, 1), 2.0).isnan().all()
    assert inverse_g_factor(unknown).isnan().all()
    assert std_error(unknown, torch.ones(1, 1)).isnan().all()
