"""From drawn shapes to regions, and from regions to the figures of their noise."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mri_noise.arrays import Mask
from mri_noise.readings import estimate_of, total_error
from mri_noise.result import Result
from mri_noise.roi import Ellipse, Polygon, Rectangle, Roi
from mri_noise.session.verdicts import linear_mark
from mri_noise.variance.maps import acceleration, g_factor
from mri_noise.variance.readout import ContrastNoise, RegionNoise

VOXELS, MEAN_SIGNAL, MEAN_STD, MEDIAN_STD = "voxels", "mean signal", "mean std", "median std"
MEAN_SNR, MEAN_G = "mean SNR", "mean g"
MONTE_CARLO_STD, INTERVAL = "Monte Carlo std", "  ± (95 %)"
STD_OF_MEAN, SNR_OF_MEAN, STD_OF_COMPLEX_MEAN = EXACT_FIGURES = ("std of mean", "SNR of mean", "std of complex mean")
KNOWN_TO, IS_LINEAR = "std known to [%]", "linear"

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


def named_regions(names: Sequence[object]) -> tuple[str, ...]:
    """A name of its own for each region: the one that it has, if no region before it has that, else the next number."""
    given: list[str] = []
    for name in names:
        text = name.strip() if isinstance(name, str) else ""
        given.append(text if text and text not in given else _next_name([*given, *map(str, names)]))
    return tuple(given)


def _next_name(taken: Sequence[str]) -> str:
    numbers = (int(name.removeprefix("ROI ")) for name in taken if _is_numbered(name))
    return f"ROI {max(numbers, default=0) + 1}"


def _is_numbered(name: str) -> bool:
    return name.startswith("ROI ") and name.removeprefix("ROI ").isdecimal()


def region_statistics(result: Result, roi: Roi, replicas: Result | None = None) -> dict[str, float | int]:
    """Statistics of the maps over a region: quick, no product; only its voxels where it lies outside the image.

    ``replicas`` is a Monte Carlo result of the same image, whose mean standard deviation gets an interval.
    """
    inside = region_mask(result, roi)
    n_voxels = int(inside.sum())
    if n_voxels == 0:
        return {VOXELS: 0}
    estimate = estimate_of(result)
    signal = result.image.abs()[inside].double()
    sigma = estimate.variance_magnitude[inside].sqrt()
    return {
        VOXELS: n_voxels,
        MEAN_SIGNAL: float(signal.mean()),
        MEAN_STD: float(sigma.mean()),
        MEDIAN_STD: float(sigma.median()),
        MEAN_SNR: float((signal / sigma).mean()),
        MEAN_G: _mean_g(result, inside),
        **({} if replicas is None else _monte_carlo(replicas, inside)),
    }


def _mean_g(result: Result, inside: Mask) -> float:
    """Mean g-factor over a region, computed for its voxels alone: a map takes too long to follow a drag."""
    variance = 2 * estimate_of(result).variance_magnitude[inside]
    full_variance = result.full_variance[inside]
    return float(g_factor(variance[None], full_variance[None], acceleration(result.mask)).mean())


def mean_std(result: Result, inside: Mask) -> tuple[float, float]:
    """Mean noise std over some voxels, and half its 95 % interval if they shared all their sampling errors.

    Neighbours' errors are correlated, so that an average of n voxels is worth between 1 and n of them; the interval is
    that of one. NaN for no voxel.
    """
    estimate = estimate_of(result)
    sigma = estimate.variance_magnitude[inside].sqrt()
    error = estimate.standard_error_magnitude[inside] / (2 * sigma)
    return float(sigma.mean()), 1.96 * float(error.mean())


def _monte_carlo(replicas: Result, inside: Mask) -> dict[str, float]:
    """The replicas' mean standard deviation over a region, with its interval."""
    mean, half = mean_std(replicas, inside)
    return {MONTE_CARLO_STD: mean, INTERVAL: half}


def mean_statistics(noise: RegionNoise) -> dict[str, float]:
    """The exact noise of a region's mean."""
    return {
        STD_OF_MEAN: noise.standard_deviation_magnitude,
        SNR_OF_MEAN: _ratio(noise.mean_magnitude, noise.standard_deviation_magnitude),
        STD_OF_COMPLEX_MEAN: noise.standard_deviation,
    }


def contrast_statistics(noise: ContrastNoise) -> dict[str, float]:
    """The difference of two regions' means and its exact noise, in the rows of a region's mean."""
    return {
        MEAN_SIGNAL: noise.difference,
        STD_OF_MEAN: noise.standard_deviation,
        SNR_OF_MEAN: _ratio(abs(noise.difference), noise.standard_deviation),
    }


def confidence(result: Result) -> dict[str, float | str]:
    """How well the map of a result is known altogether, and whether its linearisation holds."""
    return {KNOWN_TO: 100 * total_error(result), IS_LINEAR: linear_mark(result)}


def _ratio(value: float, std: float) -> float:
    return value / std if std > 0 else math.nan


def region_mask(result: Result, roi: Roi) -> Mask:
    """The voxels of a region in the image of a result, shape (rows, columns)."""
    return roi((result.image.shape[0], result.image.shape[1]))
