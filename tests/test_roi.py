import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.roi import Ellipse, ObjectThreshold, Polygon, Rectangle
from tests.problems import smooth_maps

coordinate = st.floats(-3, 12).filter(lambda x: abs(x - round(x)) > 1e-3)


@settings(max_examples=40, deadline=None)
@given(r0=coordinate, c0=coordinate, r1=coordinate, c1=coordinate)
def test_rectangle_holds_the_centres_between_its_corners(r0: float, c0: float, r1: float, c1: float) -> None:
    region = Rectangle(corners=((r0, c0), (r1, c1)))((9, 7))
    for row in range(9):
        for column in range(7):
            inside = min(r0, r1) <= row <= max(r0, r1) and min(c0, c1) <= column <= max(c0, c1)
            assert bool(region[row, column]) == inside


@settings(max_examples=40, deadline=None)
@given(r0=coordinate, c0=coordinate, r1=coordinate, c1=coordinate)
def test_a_polygon_of_four_corners_is_the_rectangle(r0: float, c0: float, r1: float, c1: float) -> None:
    polygon = Polygon(vertices=((r0, c0), (r0, c1), (r1, c1), (r1, c0)))((9, 7))
    assert torch.equal(polygon, Rectangle(corners=((r0, c0), (r1, c1)))((9, 7)))


def test_ellipse() -> None:
    region = Ellipse(center=(4, 3), radii=(2, 1))((9, 7))
    assert int(region.sum()) == 7  # five on the long axis, one on each side of the centre
    assert region[2, 3]
    assert region[4, 2]
    assert not region[3, 2]


def test_object_is_the_bright_part_of_the_maps_support_without_holes() -> None:
    image = torch.full((20, 24), 0.01, dtype=torch.complex64)
    image[4:16, 5:20] = 1j
    image[9:11, 10:13] = 0
    maps = smooth_maps(2, 20, 24, torch.complex64)
    maps[:, :, 18:] = 0
    expected = torch.zeros(20, 24, dtype=torch.bool)
    expected[4:16, 5:18] = True
    assert torch.equal(ObjectThreshold(threshold=0.3, smoothing=0)(image, maps), expected)


def test_no_object_is_an_error() -> None:
    maps = torch.zeros(2, 8, 8, dtype=torch.complex64)
    with pytest.raises(ValueError, match="no voxel is inside both the object and the coil maps"):
        ObjectThreshold()(torch.ones(8, 8, dtype=torch.complex64), maps)
