"""Shrinkage lowers the error where neighbours agree, and is off where they do not."""

import torch

from mri_noise.variance.lattice.shrinkage import shrink

INSIDE = torch.ones(40, 50, dtype=torch.bool)
INSIDE[:, :4] = False


def _noisy(truth: torch.Tensor, error: float) -> torch.Tensor:
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.where(INSIDE, truth * (1 + error * noise), torch.nan)


def test_a_smooth_map_gains() -> None:
    truth = 1 + torch.linspace(0, 1, 50, dtype=torch.float64).expand(40, 50)
    noisy = _noisy(truth, 0.2)
    shrunk = shrink(noisy, 0.2 * truth, INSIDE)
    before, after = ((values - truth)[INSIDE].square().mean() for values in (noisy, shrunk.variance))
    assert after < 0.2 * before
    assert shrunk.prior_weight[INSIDE].mean() > 0.8
    assert torch.isnan(shrunk.variance[~INSIDE]).all()
    assert torch.isnan(shrunk.prior_weight[~INSIDE]).all()


def test_structure_that_neighbours_do_not_share_is_kept() -> None:
    texture = 1 + 5 * torch.rand(40, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noisy = _noisy(texture, 0.05)
    shrunk = shrink(noisy, 0.05 * texture, INSIDE)
    before, after = ((values - texture)[INSIDE].square().mean() for values in (noisy, shrunk.variance))
    assert shrunk.prior_weight[INSIDE].mean() < 0.05
    assert after < 1.1 * before


def test_a_map_without_error_is_kept() -> None:
    exact = torch.rand(40, 50, dtype=torch.float64)
    shrunk = shrink(exact, torch.zeros_like(exact), INSIDE)
    torch.testing.assert_close(shrunk.variance[INSIDE], exact[INSIDE])
