import pytest
import torch

from mri_noise.variance.compare import compare

REGION = torch.ones(40, 50, dtype=torch.bool)


def _noisy(truth: torch.Tensor, n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A variance estimated from n real samples, and its standard error."""
    generator = torch.Generator().manual_seed(seed)
    samples = truth.sqrt() * torch.randn(n, *truth.shape, generator=generator, dtype=torch.float64)
    return samples.square().mean(0), truth * (2 / n) ** 0.5


def test_maps_that_agree() -> None:
    truth = 1 + torch.rand(40, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (a, a_error), (b, b_error) = _noisy(truth, 200, 1), _noisy(truth, 300, 2)
    result = compare(a, a_error, b, b_error, REGION)
    # 2000 independent voxels: standard errors of mean z and mean z^2 are 0.022 and 0.032
    assert abs(result.mean_z) < 0.1
    assert abs(result.mean_square_z - 1) < 0.15
    assert result.nrmse == pytest.approx(result.expected_nrmse, rel=0.08)
    assert result.nrmse == pytest.approx((1 / 400 + 1 / 600) ** 0.5, rel=0.08)
    inside = ((a.sqrt() - b.sqrt() > result.limits[0]) & (a.sqrt() - b.sqrt() < result.limits[1])).double().mean()
    assert inside == pytest.approx(0.95, abs=0.02)


def test_a_scaled_map_is_found_out() -> None:
    truth = 1 + torch.rand(40, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    zero = torch.zeros_like(truth)
    result = compare(1.21 * truth, 0.01 * truth, truth, zero, REGION)
    assert result.slope == pytest.approx(1.1)
    assert result.pearson == pytest.approx(1)
    assert result.nrmse == pytest.approx(0.1)
    assert result.bias == pytest.approx(0.1 * float(truth.sqrt().mean()))
    assert result.mean_z == pytest.approx(21)
    assert result.nrmse_max == pytest.approx(0.1 * float(truth.mean().sqrt() / truth.max().sqrt()))


def test_only_the_object_counts() -> None:
    truth = 1 + torch.rand(40, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    other = truth.clone()
    other[0, 0] = 100
    region = REGION.clone()
    region[0, 0] = False
    error = torch.ones_like(truth)
    result = compare(other, error, truth, error, region)
    assert result.nrmse == 0
    assert result.nrmse_image > 0.1
    assert result.n_voxels == 1999


def test_an_object_of_nothing_is_refused() -> None:
    truth = torch.ones(40, 50, dtype=torch.float64)
    with pytest.raises(ValueError, match="at least three voxels"):
        compare(truth, truth, truth, truth, torch.zeros(40, 50, dtype=torch.bool))
