import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.geometry import Plane, Shape, draw_axes, fade, reach, sample_volume
from mri_noise.training.simulation.volumes import MagnitudeVolume

SEEDS = st.integers(0, 2**31 - 1)


def _plane(matrix: tuple[int, int] = (6, 9), pixel: tuple[float, float] = (2.0, 3.0), thickness: float = 1.0) -> Plane:
    centre = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    return Plane(matrix, pixel, centre, draw_axes(Dice.of(5)), thickness)


def _straight() -> Shape:
    field = Dice.of(0).field(100.0)
    return Shape(torch.ones(3, dtype=torch.float64), ((0.0, field, field, field),))


def _ramp() -> MagnitudeVolume:
    x, y, z = (torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in (41, 44, 47))
    values = 200 + 2 * x[:, None, None] + 3 * y[:, None] + 5 * z
    return MagnitudeVolume("ramp", values, (1.0, 2.0, 1.5))


@pytest.mark.parametrize("finer", [1, 2])
def test_points_are_the_voxel_centres(finer: int) -> None:
    plane = _plane()
    points = plane.points((6 * finer, 9 * finer), finer)
    torch.testing.assert_close(points[3 * finer, 9 * finer // 2], plane.centre)
    torch.testing.assert_close(points[1, 0] - points[0, 0], 2.0 / finer * plane.axes[0])
    torch.testing.assert_close(points[0, 1] - points[0, 0], 3.0 / finer * plane.axes[1])


def test_smooth_functions_are_interpolated() -> None:
    plane = _plane((40, 30))
    field = Dice.of(1).field(60.0)
    exact = field(plane.points(plane.matrix)).float()
    every_point = plane.smooth(field, spacing=1.0)
    assert every_point.shape == (40, 30)
    errors = [
        float((plane.smooth(field, spacing) - exact)[4:-4, 4:-4].square().mean().sqrt()) for spacing in (4.0, 8.0)
    ]
    assert errors[0] < errors[1] / 2 < 0.05, "the finer the grid, the better: at least linear interpolation's order"


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_axes_are_orthonormal(seed: int) -> None:
    axes = draw_axes(Dice.of(seed))
    torch.testing.assert_close(axes @ axes.T, torch.eye(3, dtype=torch.float64))


def test_most_slices_are_near_axial() -> None:
    tilts = torch.stack([draw_axes(Dice.of(seed))[2, 2].abs() for seed in range(400)])
    n_axial = int((tilts > math.cos(math.radians(45))).sum())
    assert abs(n_axial - 280) < 4 * (400 * 0.7 * 0.3) ** 0.5


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_no_tissue_folds_over(seed: int) -> None:
    shape = Shape.draw(Dice.of(seed))
    points = 80 * Dice.of(seed, 1).normals(50, 3)
    step = 1e-3
    moved = [points / shape.scale + shape.bend(points).movedim(0, -1)]
    for axis in range(3):
        there = points + step * torch.eye(3, dtype=torch.float64)[axis]
        moved.append(there / shape.scale + shape.bend(there).movedim(0, -1))
    jacobian = torch.stack([(end - moved[0]) / step for end in moved[1:]], -1)
    assert float(torch.linalg.det(jacobian).min()) > 0.1


@pytest.mark.parametrize("n_sheets", [1, 3])
def test_a_volume_is_read_where_the_voxels_are(n_sheets: int) -> None:
    plane = _plane(thickness=4.0)
    values = sample_volume(_ramp(), plane, _straight(), 2, n_sheets)
    x, y, z = plane.points((12, 18), 2).unbind(-1)
    torch.testing.assert_close(values.double(), 200 + 2 * x + 3 * y / 2 + 5 * z / 1.5, rtol=1e-5, atol=0)


def test_outside_a_volume_there_is_nothing() -> None:
    far = Plane((5, 5), (1.0, 1.0), torch.tensor([0.0, 0.0, 300.0], dtype=torch.float64), draw_axes(Dice.of(0)), 1.0)
    assert not sample_volume(_ramp(), far, _straight(), 1, 1).any()


def test_a_larger_head_is_the_same_head_farther_out() -> None:
    scale = torch.tensor([1.1, 0.9, 1.2], dtype=torch.float64)
    larger = Shape(scale, _straight().displacement)
    plane = _plane()
    x, y, z = (plane.points((6, 9)) / scale).unbind(-1)
    found = sample_volume(_ramp(), plane, larger, 1, 1)
    torch.testing.assert_close(found.double(), 200 + 2 * x + 3 * y / 2 + 5 * z / 1.5, rtol=1e-5, atol=0)


def test_the_neck_fades() -> None:
    upright = torch.tensor([[0.0, 0, -1], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
    plane = Plane((80, 8), (1.0, 4.0), torch.zeros(3, dtype=torch.float64), upright, 1.0)
    factors = fade(_ramp(), plane, _straight(), 1)
    assert float((factors[:40] - 1).abs().max()) < 1e-3, "the upper half stays"
    assert not factors[-4:].round(decimals=3).any(), "below the volume there is nothing"


def test_reach_is_that_of_an_ellipsoid() -> None:
    size = torch.tensor([41.0, 88.0, 70.5], dtype=torch.float64)
    for axis, direction in enumerate(torch.eye(3, dtype=torch.float64)):
        assert reach(_ramp(), _straight(), direction) == pytest.approx(float(size[axis]) / 2)
    direction = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    sphere = torch.nn.functional.normalize(Dice.of(0).normals(200_000, 3), dim=1)
    farthest = float((sphere * size / 2 @ direction).max())
    assert reach(_ramp(), _straight(), direction) == pytest.approx(farthest, rel=1e-3)
