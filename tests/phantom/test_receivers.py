import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.noise import Noise
from mri_noise.phantom.receivers import coil_sensitivities, head_array, loop_field, noise_covariance


def _biot_savart(points: torch.Tensor, normal: torch.Tensor, radius: float, n_segments: int = 4000) -> torch.Tensor:
    """The same field from its integral, summed over short straight pieces of wire."""
    first = torch.linalg.cross(normal, torch.tensor([0.3, 0.2, 0.9], dtype=torch.float64))
    first = first / torch.linalg.vector_norm(first)
    second = torch.linalg.cross(normal, first)
    angles = 2 * math.pi * torch.arange(n_segments, dtype=torch.float64)[:, None] / n_segments
    wire = radius * (torch.cos(angles) * first + torch.sin(angles) * second)
    pieces = 2 * math.pi * radius / n_segments * (torch.cos(angles) * second - torch.sin(angles) * first)
    away = points[:, None] - wire
    field = torch.linalg.cross(pieces.expand_as(away), away) / torch.linalg.vector_norm(away, dim=-1, keepdim=True) ** 3
    total = field.sum(1) / 2
    return torch.complex(total[:, 0], -total[:, 1])


@pytest.mark.parametrize("normal", [[1.0, 0.0, 0.0], [0.6, -0.8, 0.0], [0.36, 0.48, 0.8]])
def test_loop_field_is_biot_savart_s(normal: list[float]) -> None:
    direction, radius = torch.tensor(normal, dtype=torch.float64), 45.0
    points = 60 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(
        loop_field(points, direction, radius), _biot_savart(points, direction, radius), rtol=1e-4, atol=1e-7
    )


def test_loop_field_on_the_axis() -> None:
    heights = torch.tensor([0.0, 20.0, 90.0], dtype=torch.float64)
    points = heights[:, None] * torch.tensor([1.0, 0, 0], dtype=torch.float64)
    expected = math.pi * 50**2 / (50**2 + heights**2) ** 1.5
    field = loop_field(points, torch.tensor([1.0, 0, 0], dtype=torch.float64), 50.0)
    torch.testing.assert_close(field, expected.to(torch.complex128))


def test_field_is_finite_on_the_wire() -> None:
    normal = torch.tensor([0, 1.0, 0], dtype=torch.float64)
    field = loop_field(torch.tensor([[30.0, 0, 0]], dtype=torch.float64), normal, 30.0)
    assert torch.isfinite(torch.view_as_real(field)).all()


@pytest.mark.parametrize("n_coils", [1, 2, 8, 33])
def test_sensitivities_are_strongest_near_their_loop(n_coils: int) -> None:
    array = head_array(n_coils, seed=0)
    maps = coil_sensitivities(array, 0.7 * array.centres)
    assert maps.shape == (n_coils, n_coils)
    assert torch.equal((maps / array.gains[:, None]).abs().argmax(0), torch.arange(n_coils))
    at_origin = coil_sensitivities(array, torch.zeros(3, dtype=torch.float64))
    assert float(torch.linalg.vector_norm(at_origin)) == pytest.approx(1)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 32), st.floats(1e-3, 10), st.floats(0, 0.95), st.integers(0, 1000))
def test_noise_has_the_level_and_the_correlation(n_coils: int, level: float, correlation: float, seed: int) -> None:
    covariance = Noise(noise_covariance(head_array(n_coils, seed), level, correlation), "test").covariance
    variances = covariance.diagonal().real
    assert float(variances.mean()) == pytest.approx(level**2)
    coefficients = (covariance / (variances[:, None] * variances).sqrt()).abs()
    assert float(coefficients.diagonal().sub(1).abs().max()) < 1e-9
    if n_coils > 1:
        others = coefficients - torch.eye(n_coils, dtype=torch.float64)
        assert float(others.max()) == pytest.approx(correlation, abs=1e-9)
