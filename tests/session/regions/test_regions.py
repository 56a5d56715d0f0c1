import math

import numpy as np
import pytest

from mri_noise.readings import estimate_of, g_factor_of
from mri_noise.roi import Ellipse, Polygon, Rectangle
from mri_noise.session.regions.regions import named_regions, region_statistics, roi_of
from tests.session.examples import steps

RESULT = steps()[-1].result
ROI = Ellipse(name="middle", center=(16, 14), radii=(5, 4))
OUTSIDE = Rectangle(name="outside", corners=((90, 90), (99, 99)))
BOX = np.array([[2.0, 3.0], [2.0, 9.0], [6.0, 9.0], [6.0, 3.0]])


def turned(corners: np.ndarray, angle: float) -> np.ndarray:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (corners - corners.mean(0)) @ turn.T + corners.mean(0)


def test_shapes_become_regions() -> None:
    assert roi_of("rectangle", BOX, "a") == Rectangle(name="a", corners=((2, 3), (6, 9)))
    assert roi_of("ellipse", BOX, "b") == Ellipse(name="b", center=(4, 6), radii=(2, 3))
    assert roi_of("polygon", BOX[:3], "c") == Polygon(name="c", vertices=((2, 3), (2, 9), (6, 9)))
    assert roi_of("line", BOX[:2], "d") is None


@pytest.mark.parametrize("kind", ["rectangle", "ellipse"])
def test_turned_shapes_cover_what_is_drawn(kind: str) -> None:
    corners = 4 * BOX
    straight, by_half = (roi_of(kind, turned(corners, angle), "a") for angle in (0.0, math.pi / 6))
    assert isinstance(by_half, Polygon)
    areas = [int(roi((64, 64)).sum()) for roi in (straight, by_half)]
    assert areas[1] == pytest.approx(areas[0], rel=0.12)
    quarter = roi_of(kind, turned(corners, math.pi / 2), "a")
    assert type(quarter) is type(straight)


def test_each_region_gets_a_name_of_its_own() -> None:
    assert named_regions(["ROI 1", "ROI 3", "ROI 3", math.nan, "tumour", " "]) == (
        "ROI 1",
        "ROI 3",
        "ROI 4",
        "ROI 5",
        "tumour",
        "ROI 6",
    )


def test_statistics_are_those_of_the_maps() -> None:
    row = region_statistics(RESULT, ROI)
    inside = ROI((32, 28))
    sigma = estimate_of(RESULT).variance_magnitude[inside].sqrt()
    assert row["voxels"] == int(inside.sum())
    assert row["mean signal"] == pytest.approx(float(RESULT.image.abs()[inside].mean()))
    assert row["mean std"] == pytest.approx(float(sigma.mean()))
    assert row["median std"] == pytest.approx(float(sigma.median()))
    assert row["mean SNR"] == pytest.approx(float((RESULT.image.abs()[inside] / sigma).mean()))
    assert row["mean g"] == pytest.approx(float(g_factor_of(RESULT)[inside].mean()))


def test_a_region_outside_the_image_has_no_figures() -> None:
    assert region_statistics(RESULT, OUTSIDE) == {"voxels": 0}


def test_replicas_give_an_interval() -> None:
    row = region_statistics(RESULT, ROI, RESULT)
    assert row["Monte Carlo std"] == row["mean std"]
    assert 0 < row["  ± (95 %)"] < 2 * row["mean std"]
