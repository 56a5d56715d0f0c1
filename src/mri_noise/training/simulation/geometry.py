"""Where the voxels of a simulated slice lie, and what of the head is there."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from mri_noise.phantom.fields import RandomField
from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.volumes import MagnitudeVolume

_AXIAL, _CORONAL, _SAGITTAL = (
    ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)),
)
"""Directions of rows, columns and slices in the head: right, anterior, superior."""
_ORIENTATIONS = (_AXIAL, _CORONAL, _SAGITTAL)
_SHARES = (0.7, 0.15, 0.15)
_NECK = 25.0
"""Height over which the object fades at the lower face of its volume [mm], where the neck is cut off."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A slice: positions relative to the centre of the head [mm], x to the right, y to the front, z upwards.

    Attributes
    ----------
    matrix, pixel
        Rows and columns, and the size of a pixel along them [mm].
    centre, axes : shape (3,) and (3, 3), float64
        Middle of the field of view; unit vectors along rows, columns and the slice's normal.
    thickness
        [mm].
    """

    matrix: tuple[int, int]
    pixel: tuple[float, float]
    centre: Tensor
    axes: Tensor
    thickness: float

    def points(self, shape: tuple[int, int], finer: int = 1) -> Tensor:
        """Return ``shape`` positions evenly spread over the voxel centres, corners included, shape (..., 3) [mm].

        The voxel centres are those of a matrix that is ``finer`` times as large; index n // 2 is at the centre.
        """
        along = []
        for n_points, n_pixels, size in zip(shape, self.matrix, self.pixel, strict=True):
            n = finer * n_pixels
            first, last = -(n // 2), n - 1 - n // 2
            along.append(torch.linspace(first, last, n_points, dtype=torch.float64) * size / finer)
        rows, columns = torch.meshgrid(*along, indexing="ij")
        return self.centre + rows[..., None] * self.axes[0] + columns[..., None] * self.axes[1]

    def coarse(self, spacing: float) -> tuple[int, int]:
        """Return how many points along each axis are about ``spacing`` apart [mm]."""
        rows, columns = (max(4, math.ceil(n * size / spacing)) for n, size in zip(self.matrix, self.pixel, strict=True))
        return rows, columns

    def smooth(self, function: Callable[[Tensor], Tensor], spacing: float, finer: int = 1) -> Tensor:
        """Evaluate a smooth function of position on points ``spacing`` apart [mm], and interpolate bicubically.

        The function takes shape (rows, columns, 3) to (..., rows, columns); the result is float32.
        """
        values = function(self.points(self.coarse(spacing), finer)).float()
        leading = values.shape[:-2]
        fine = tuple(finer * n for n in self.matrix)
        flat = values.reshape(1, -1, *values.shape[-2:])
        return interpolate(flat, size=fine, mode="bicubic", align_corners=True).reshape(*leading, *fine)


def draw_axes(dice: Dice) -> Tensor:
    """Draw the directions of rows, columns and normal: near axial, coronal or sagittal, oblique by some degrees."""
    axes = torch.tensor(_ORIENTATIONS[dice.index(_SHARES)], dtype=torch.float64)
    tilt = dice.normal(math.radians(9.0)), dice.normal(math.radians(9.0))
    turn = math.pi / 2 * dice.index((0.6, 0.15, 0.1, 0.15)) + dice.normal(math.radians(9.0))
    return _rotation(0, tilt[0]) @ _rotation(1, tilt[1]) @ _rotation(2, turn) @ axes


def _rotation(axis: int, angle: float) -> Tensor:
    """Rotation about one of the axes by an angle [rad]."""
    matrix = torch.eye(3, dtype=torch.float64)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes one head's form differ from the volume's: p -> p / scale + displacement(p).

    Attributes
    ----------
    scale : shape (3,)
        Size relative to the volume's, along each axis of the head.
    displacement
        Fields for the three axes at each of several wavelengths, with their amplitude [mm].
    """

    scale: Tensor
    displacement: tuple[tuple[float, RandomField, RandomField, RandomField], ...]

    @classmethod
    def draw(cls, dice: Dice) -> "Shape":
        """Draw a form; the gradients of the displacement stay well below one, so that no tissue folds over."""
        scale = torch.exp(torch.tensor(dice.normal(0.06)) + 0.05 * dice.normals(3))
        wavelengths = (dice.uniform(80.0, 160.0), dice.uniform(40.0, 70.0), dice.uniform(18.0, 30.0))
        amplitudes = (dice.uniform(1.0, 3.5), dice.uniform(0.1, 0.9), dice.uniform(0.0, 0.4))
        fields = [
            (a, dice.field(w), dice.field(w), dice.field(w)) for a, w in zip(amplitudes, wavelengths, strict=True)
        ]
        return cls(scale, tuple(fields))

    def bend(self, points: Tensor) -> Tensor:
        """Return the displacement of points of shape (..., 3), shape (3, ...) [mm]."""
        moved = [
            amplitude * torch.stack([field(points) for field in fields]) for amplitude, *fields in self.displacement
        ]
        return torch.stack(moved).sum(0)


def sample_volume(volume: MagnitudeVolume, plane: Plane, shape: Shape, finer: int, n_sheets: int) -> Tensor:
    """Return the values of a volume on a plane, averaged over sheets through its thickness.

    Shape (finer * rows, finer * columns), float32. The values are interpolated trilinearly.
    """
    fine = (finer * plane.matrix[0], finer * plane.matrix[1])
    bend = plane.smooth(shape.bend, spacing=6.0, finer=finer).movedim(0, -1)
    points = (plane.points(fine, finer) / shape.scale).float() + bend
    normal = (plane.axes[2] / shape.scale).float()
    offsets = plane.thickness * ((torch.arange(n_sheets) + 0.5) / n_sheets - 0.5)
    sheets = points + offsets[:, None, None, None] * normal
    return _interpolated(volume, sheets).mean(0)


def fade(volume: MagnitudeVolume, plane: Plane, shape: Shape, finer: int) -> Tensor:
    """Return factors that fall to zero at the lower face of a volume, as the signal does below a head array."""
    lowest = -volume.values.shape[2] * volume.voxel_size[2] / 2

    def factor(points: Tensor) -> Tensor:
        above = points[..., 2] / shape.scale[2] + shape.bend(points)[2] - lowest
        return torch.sin(torch.pi / 2 * (above / _NECK).clamp(0, 1)).square()

    return plane.smooth(factor, spacing=6.0, finer=finer).clamp(0, 1)


def reach(volume: MagnitudeVolume, shape: Shape, direction: Tensor) -> float:
    """Return half the length of a volume along a direction, as if it were an ellipsoid [mm]."""
    size = torch.tensor(volume.values.shape, dtype=torch.float64) * torch.tensor(volume.voxel_size, dtype=torch.float64)
    return float(torch.linalg.vector_norm(size * shape.scale / 2 * direction))


def _interpolated(volume: MagnitudeVolume, points: Tensor) -> Tensor:
    """Values at points of shape (sheets, rows, columns, 3) [mm] about the volume's centre; zero outside."""
    half = torch.tensor([n * size / 2 for n, size in zip(volume.values.shape, volume.voxel_size, strict=True)])
    grid = (points / half).flip(-1)
    values = grid_sample(volume.values[None, None], grid[None], mode="bilinear", align_corners=False)
    return values[0, 0]
