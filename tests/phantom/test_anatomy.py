import pytest
import torch

from mri_noise.phantom.anatomy import anatomy, object_phase

HEIGHTS = [0.0, 10.0, 20.0]


def _grid(rows: int, columns: int, height: float) -> torch.Tensor:
    y = torch.linspace(-120, 120, rows, dtype=torch.float64)
    x = torch.linspace(-118, 121, columns, dtype=torch.float64)
    rows_of, columns_of = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns_of, rows_of, torch.full_like(rows_of, height)], -1)


@pytest.mark.parametrize("seed", [0, 1, 12])
def test_tissues_are_where_they_belong(seed: int) -> None:
    cistern, thalamus, air, far = [0.0, 33.0, 0.0], [11.0, 11.0, 7.0], [0.0, -115.0, 10.0], [500.0, 0.0, 0.0]
    points = torch.tensor([cistern, thalamus, air, far], dtype=torch.float64)
    fluid, nucleus, outside, nothing = anatomy(points, seed).tolist()
    assert 0.15 < fluid < 0.3
    assert 0.55 < nucleus < 0.8
    assert outside < 1e-3
    assert nothing == 0
    slices = torch.stack([anatomy(_grid(60, 60, height), seed) for height in HEIGHTS])
    assert 0.85 < float(slices.max()) < 1.5
    middle = slices[:, 12:48, 18:42]
    white, grey = ((middle > 0.75) & (middle < 1)).double().mean(), ((middle > 0.4) & (middle < 0.68)).double().mean()
    assert 0.3 < float(white) < 0.8
    assert 0.05 < float(grey) < 0.5


def test_anatomy_is_a_function_of_position_alone() -> None:
    points = _grid(31, 26, 8.0)
    whole = anatomy(points, 3)
    parts = torch.cat([anatomy(part, 3) for part in points.reshape(-1, 3).split(100)])
    torch.testing.assert_close(whole.flatten(), parts, rtol=0, atol=1e-12)
    assert torch.equal(whole, anatomy(points, 3))


def test_heads_and_slices_differ() -> None:
    points = _grid(40, 40, 8.0)
    head = anatomy(points, 0)
    inside = head > 0.1
    for other in (anatomy(points, 1), anatomy(_grid(40, 40, 14.0), 0)):
        assert float((other - head)[inside].square().mean().sqrt()) > 0.1
        assert float(torch.corrcoef(torch.stack([head.flatten(), other.flatten()]))[0, 1]) > 0.7, "both are heads"


def test_phase_is_smooth_and_strongest_above_the_sinus() -> None:
    y = torch.linspace(-90, 90, 181, dtype=torch.float64)
    line = torch.stack([torch.zeros_like(y), y, torch.zeros_like(y)], -1)
    steps = object_phase(line, 0).diff()
    assert 0.05 < float(steps.abs().max()) < 0.3, "radians per millimetre"
    assert int(steps.abs().argmax()) < 60
