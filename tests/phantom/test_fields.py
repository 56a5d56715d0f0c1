import pytest
import torch

from mri_noise.phantom.fields import RandomField


def _points(n_points: int = 50) -> torch.Tensor:
    return 60 * torch.randn(n_points, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_mean_is_zero_and_variance_is_one_over_heads() -> None:
    generator = torch.Generator().manual_seed(1)
    point = _points(1)
    values = torch.cat([RandomField.draw(30.0, 12, generator)(point) for _ in range(2000)])
    assert abs(float(values.mean())) < 4 / 2000**0.5
    assert abs(float(values.square().mean()) - 1) < 4 * (2 / 2000) ** 0.5


def test_slope_is_the_length_of_the_gradient() -> None:
    field = RandomField.draw(20.0, 8, torch.Generator().manual_seed(2))
    points = _points().requires_grad_()
    (gradient,) = torch.autograd.grad(field(points).sum(), points)
    torch.testing.assert_close(field.slope(points), torch.linalg.vector_norm(gradient, dim=-1))


@pytest.mark.parametrize("wavelength", [5.0, 200.0])
def test_waves_are_of_the_length_give_or_take_an_eighth(wavelength: float) -> None:
    waves = RandomField.draw(wavelength, 100, torch.Generator().manual_seed(3)).waves
    relative = wavelength / (2 * torch.pi) * torch.linalg.vector_norm(waves, dim=1)
    assert ((relative > 0.874) & (relative < 1.126)).all()
