"""From drawn shapes to regions, and from regions to a table of their noise."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mri_noise.linop import LinearOperator
from mri_noise.report import estimate_of, g_factor_of
from mri_noise.result import Result
from mri_noise.roi import Ellipse, Polygon, Rectangle, Roi
from mri_noise.variance.readout import contrast_noise, region_noise

_N_OUTLINE = 64


def roi_of(kind: str, vertices: NDArray[np.float64], name: str) -> Roi | None:
    """The region of a drawn shape; None for lines and paths.

    Parameters
    ----------
    kind
        ``rectangle``, ``ellipse`` or ``polygon``; one that is turned becomes a polygon.
    vertices : shape (vertices, 2)
        (row, column) in voxels; for an ellipse, the corners of the box around it.
    """
    if kind == "polygon" and len(vertices) > 2:
        return Polygon(name=name, vertices=_points(vertices))
    if kind not in ("rectangle", "ellipse") or len(vertices) != 4:
        return None
    low, high = vertices.min(0), vertices.max(0)
    if not _along_axes(vertices):
        return Polygon(name=name, vertices=_points(vertices if kind == "rectangle" else _outline(vertices)))
    if kind == "rectangle":
        return Rectangle(name=name, corners=(_point(low), _point(high)))
    radii = np.maximum((high - low) / 2, 1e-6)
    return Ellipse(name=name, center=_point((low + high) / 2), radii=_point(radii))


def _along_axes(corners: NDArray[np.float64]) -> bool:
    edges = np.abs(corners - np.roll(corners, 1, axis=0))
    return bool((edges.min(axis=1) <= 1e-6 * max(float(edges.max()), 1.0)).all())


def _outline(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ellipse that touches the middle of each side of a turned box."""
    centre = corners.mean(0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * math.pi, _N_OUTLINE, endpoint=False)[:, None]
    return centre + np.cos(angles) * first + np.sin(angles) * second


def _point(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _points(vertices: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple(_point(vertex) for vertex in vertices)


def region_table(result: Result, rois: Sequence[Roi], replicas: Result | None = None) -> pd.DataFrame:
    """Statistics of the maps over each region, a row each: quick, no product.

    ``replicas`` is a Monte Carlo result of the same image, whose mean standard deviation gets an interval.
    """
    return pd.DataFrame([_statistics(result, roi, replicas) for roi in rois])


def _statistics(result: Result, roi: Roi, replicas: Result | None) -> dict[str, str | float]:
    inside = roi(_shape(result))
    n_voxels = int(inside.sum())
    row: dict[str, str | float] = {"region": roi.name, "voxels": n_voxels}
    if n_voxels == 0:
        return row
    estimate = estimate_of(result)
    signal = result.image.abs()[inside].double()
    sigma = estimate.variance_magnitude[inside].sqrt()
    g = g_factor_of(result)[inside]
    row |= {
        "mean signal": float(signal.mean()),
        "mean std": float(sigma.mean()),
        "median std": float(sigma.median()),
        "SNR": float((signal / sigma).mean()),
        "g": float(g.mean()),
    }
    if replicas is not None:
        row |= _monte_carlo(replicas, roi)
    return row


def _monte_carlo(replicas: Result, roi: Roi) -> dict[str, float]:
    """Mean standard deviation of the replicas, and half its 95 % interval if voxels shared all their errors.

    Neighbours' errors are correlated, so that an average of n voxels is worth between 1 and n of them; the interval is
    that of one.
    """
    estimate = estimate_of(replicas)
    inside = roi(_shape(replicas))
    sigma = estimate.variance_magnitude[inside].sqrt()
    error = estimate.standard_error_magnitude[inside] / (2 * sigma)
    return {"Monte Carlo std": float(sigma.mean()), "+-": 1.96 * float(error.mean())}


def exact_table(result: Result, operator: LinearOperator, rois: Sequence[Roi]) -> pd.DataFrame:
    """The exact noise of the mean of each region: of its magnitude and of its complex mean."""
    rows = []
    image = result.image
    for roi in rois:
        inside = roi(_shape(result))
        noise = region_noise(operator, image, inside) if bool(inside.any()) else None
        rows.append(
            {
                "region": roi.name,
                "std of mean": math.nan if noise is None else noise.standard_deviation_magnitude,
                "std of complex mean": math.nan if noise is None else noise.standard_deviation,
            }
        )
    return pd.DataFrame(rows)


def contrast_sentence(result: Result, operator: LinearOperator, first: Roi, second: Roi) -> str:
    """The difference of two regions' mean magnitudes with its exact error bar, their correlation included."""
    shape = _shape(result)
    noise = contrast_noise(operator, result.image, first(shape), second(shape))
    ratio = f", CNR {abs(noise.difference) / noise.standard_deviation:.3g}" if noise.standard_deviation > 0 else ""
    return f"{first.name} - {second.name}: {noise.difference:.4g} ± {noise.standard_deviation:.2g}{ratio}"


def _shape(result: Result) -> tuple[int, int]:
    return result.image.shape[0], result.image.shape[1]
