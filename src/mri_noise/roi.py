"""Regions of an image: the object, and those that a user names."""

from typing import Annotated, Literal

import numpy as np
import torch
from matplotlib.path import Path as Outline
from pydantic import Field
from scipy import ndimage

from mri_noise.arrays import CoilMaps, Image, Mask
from mri_noise.settings import Settings

Point = tuple[float, float]


class Rectangle(Settings):
    """Rectangle between two corners; a voxel belongs to it if its centre does."""

    kind: Literal["rectangle"] = "rectangle"
    name: str = "rectangle"
    corners: tuple[Point, Point] = Field(description="Two opposite corners as (row, column), in voxels")

    def __call__(self, shape: tuple[int, int]) -> Mask:
        """Return the region, shape (rows, columns)."""
        (r0, c0), (r1, c1) = self.corners
        rows, columns = _grid(shape)
        inside = (rows >= min(r0, r1)) & (rows <= max(r0, r1)) & (columns >= min(c0, c1)) & (columns <= max(c0, c1))
        return torch.from_numpy(inside)


class Ellipse(Settings):
    """Ellipse with axes along rows and columns."""

    kind: Literal["ellipse"] = "ellipse"
    name: str = "ellipse"
    center: Point = Field(description="(row, column), in voxels")
    radii: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = Field(
        description="Along rows and columns, in voxels"
    )

    def __call__(self, shape: tuple[int, int]) -> Mask:
        """Return the region, shape (rows, columns)."""
        rows, columns = _grid(shape)
        r, c = (rows - self.center[0]) / self.radii[0], (columns - self.center[1]) / self.radii[1]
        return torch.from_numpy(r**2 + c**2 <= 1)


class Polygon(Settings):
    """Polygon through vertices, closed; a voxel belongs to it if its centre does."""

    kind: Literal["polygon"] = "polygon"
    name: str = "polygon"
    vertices: tuple[Point, ...] = Field(min_length=3, description="(row, column) of each vertex, in voxels")

    def __call__(self, shape: tuple[int, int]) -> Mask:
        """Return the region, shape (rows, columns)."""
        rows, columns = (np.broadcast_to(axis, shape).ravel() for axis in _grid(shape))
        inside = Outline(self.vertices, closed=False).contains_points(np.column_stack([rows, columns]))
        return torch.from_numpy(inside.reshape(shape))


Roi = Annotated[Rectangle | Ellipse | Polygon, Field(discriminator="kind")]


def _grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return rows, columns


class ObjectThreshold(Settings):
    """The object: where coil maps are known and the smoothed image is above a share of its brightest part."""

    threshold: float = Field(0.1, ge=0, lt=1, description="Share of the 99th percentile of the smoothed magnitude")
    smoothing: float = Field(1.0, ge=0, description="Standard deviation of the Gaussian that smooths, in voxels")

    def __call__(self, image: Image, coil_maps: CoilMaps) -> Mask:
        """Return the object, holes filled, shape (rows, columns).

        Raises
        ------
        ValueError
            If nothing is above the threshold.
        """
        support = (coil_maps.abs().sum(0) > 0).cpu().numpy()
        magnitude = ndimage.gaussian_filter(image.abs().cpu().double().numpy(), self.smoothing)
        bright = magnitude > self.threshold * np.percentile(magnitude, 99)
        inside = ndimage.binary_fill_holes(bright) & support
        if not inside.any():
            raise ValueError("no voxel is inside both the object and the coil maps; lower object.threshold")
        return torch.from_numpy(inside).to(image.device)
