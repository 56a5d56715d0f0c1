import math

import numpy as np
import pytest
import torch

from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.report import estimate_of, g_factor_of
from mri_noise.roi import Ellipse, Polygon, Rectangle
from mri_noise.session.regions import contrast_sentence, exact_table, region_table, roi_of
from mri_noise.variance.point import noise_jacobian
from mri_noise.variance.readout import contrast_noise, region_noise
from tests.session.examples import EXPERIMENT, OPENED, steps

RESULT = steps()[-1].result
ROI = Ellipse(name="middle", center=(16, 14), radii=(5, 4))
OTHER = Rectangle(name="left", corners=((10, 4), (14, 8)))
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


def test_a_row_holds_the_statistics_of_the_maps() -> None:
    (row,) = region_table(RESULT, [ROI]).to_dict("records")
    inside = ROI((32, 28))
    sigma = estimate_of(RESULT).variance_magnitude[inside].sqrt()
    assert row["voxels"] == int(inside.sum())
    assert row["mean signal"] == pytest.approx(float(RESULT.image.abs()[inside].mean()))
    assert row["mean std"] == pytest.approx(float(sigma.mean()))
    assert row["median std"] == pytest.approx(float(sigma.median()))
    assert row["SNR"] == pytest.approx(float((RESULT.image.abs()[inside] / sigma).mean()))
    assert row["g"] == pytest.approx(float(g_factor_of(RESULT)[inside].mean()))


def test_a_region_outside_the_image_has_no_numbers() -> None:
    table = region_table(RESULT, [ROI, OUTSIDE])
    assert table["voxels"].tolist()[1] == 0
    assert math.isnan(table["SNR"][1])


def test_replicas_give_an_interval() -> None:
    (row,) = region_table(RESULT, [ROI], RESULT).to_dict("records")
    assert row["Monte Carlo std"] == row["mean std"]
    assert 0 < row["+-"] < 2 * row["mean std"]


def test_exact_error_bars_are_those_of_the_core() -> None:
    cache = StageCache()
    prepared = prepare(OPENED.scan, EXPERIMENT, 1, cache)
    point = reconstruct(prepared, EXPERIMENT, cache)
    operator = noise_jacobian(point, chunk=1)
    table = exact_table(RESULT, operator, [ROI, OUTSIDE])
    expected = region_noise(operator, point.image, ROI((32, 28)))
    assert table["std of mean"][0] == pytest.approx(expected.standard_deviation_magnitude, rel=1e-5)
    assert math.isnan(table["std of mean"][1])
    contrast = contrast_noise(operator, point.image, ROI((32, 28)), OTHER((32, 28)))
    sentence = contrast_sentence(RESULT, operator, ROI, OTHER)
    assert sentence.startswith(f"middle - left: {contrast.difference:.4g} ± {contrast.standard_deviation:.2g}, CNR")
    assert torch.equal(point.image, RESULT.image)
