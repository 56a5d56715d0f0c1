"""Undersampling masks: which points of k-space an accelerated scan would acquire.

One-dimensional masks vary along the last phase-encode axis and keep whole lines along the other axis.
Two-dimensional masks vary along rows and columns; on a 2-D acquisition, whose readout is always acquired in full,
they simulate a slice of a 3-D one. Every mask is of the full matrix; what a file did not acquire stays missing.

The centre of k-space is index n // 2, and a calibration block of m lines starts at n // 2 - m // 2.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from itertools import count
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import Mask
from mri_noise.choices import Choosable, Group
from mri_noise.operators.fourier import central

Acceleration = Annotated[float, Field(ge=1, description="All points of k-space over those sampled")]
Spacing = Annotated[float, Field(ge=1, description="Distance of the lines outside the centre, in lines")]
CalibrationLines = Annotated[int, Field(ge=0, description="Lines that are always sampled, around the centre")]
CalibrationSide = Annotated[int, Field(ge=0, description="Side of the square that is always sampled, at the centre")]
Seed = Annotated[int, Field(ge=0, lt=2**32, description="The same seed gives the same mask")]

_LEAST_CALIBRATION, _LARGEST_SQUARE = 8, 24
_SHARE_OF_LINES, _SHARE_OF_POINTS = 0.32, 0.2
"""Share of the samples for calibration, where that is not too small; fastMRI's masks take 0.32 of the lines."""


class Undersampling(Choosable):
    """Which of the acquired points of k-space are kept."""

    group: ClassVar[Group] = "undersampling"
    thing: ClassVar[str] = "mask"

    @abstractmethod
    def __call__(self, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]) -> Mask:
        """Return the mask, True where sampled, of the shape (rows, columns).

        The phase-encode axes are (-1,) for a 2-D acquisition and (-2, -1) for a slice of a 3-D one. ValueError, in one
        sentence, if the settings do not fit the shape.
        """

    @classmethod
    def of_net_acceleration(
        cls, acceleration: float, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]
    ) -> "Undersampling":
        """Choose a mask whose net acceleration, calibration included, is the one asked for.

        By default the field ``acceleration`` takes it. The package's own masks keep their calibration small, as those
        of the fastMRI challenge have it (Zbontar 2018, arXiv:1811.08839), but never below the 8 lines, or 8 x 8 points,
        that coil maps need.

        Raises
        ------
        ValueError
            If the mask has no acceleration, or the matrix is too small for it.
        """
        if "acceleration" not in cls.model_fields:
            raise ValueError(f"the mask '{cls.kind_of_class()}' has no acceleration to choose; choose another mask")
        return cls.parse({"acceleration": acceleration})


class AsAcquired(Undersampling):
    """Everything that the file holds."""

    kind: Literal["as-acquired"] = "as-acquired"

    def __call__(self, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]) -> Mask:
        """Return a mask of True."""
        return torch.ones(shape, dtype=torch.bool)

    @classmethod
    def of_net_acceleration(
        cls, acceleration: float, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]
    ) -> "Undersampling":
        """Return the one choice there is, whatever the acceleration."""
        return cls()


class Equispaced(Undersampling):
    """Every R-th line, and all lines of the centre.

    ``acceleration`` R is the spacing, so that the calibration lines come on top of n / R lines: the line numbers are
    floor(offset + k R). A whole R outside the centre is the regular pattern of SENSE and GRAPPA.
    """

    kind: Literal["equispaced"] = "equispaced"
    acceleration: Spacing = 4.0
    n_calibration: CalibrationLines = 24
    offset: int = Field(0, ge=0, description="A line that is sampled, counted from the first one")

    def __call__(self, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]) -> Mask:
        """Return the mask; ValueError if the calibration lines do not fit."""
        n_lines = shape[phase_encode_axes[-1]]
        lines = _centre(n_lines, self.n_calibration)
        positions = np.arange(self.offset % self.acceleration, n_lines, self.acceleration)
        positions = positions[positions < n_lines]  # rounding lets one more through
        lines[torch.from_numpy(positions).long()] = True
        return _repeat(lines, shape, phase_encode_axes[-1])

    @classmethod
    def of_net_acceleration(
        cls, acceleration: float, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]
    ) -> "Undersampling":
        """Choose a spacing that makes up for the calibration lines, and lines about symmetric in k-space."""
        n_lines = shape[phase_encode_axes[-1]]
        n_calibration = _calibration_lines(n_lines, acceleration)
        spacing = (n_lines - n_calibration) / (n_lines / acceleration - n_calibration)
        offset = round((n_lines - 1) % spacing / 2)
        return cls(acceleration=spacing, n_calibration=n_calibration, offset=offset)


class RandomLines(Undersampling):
    """All lines of the centre, and each other line with one probability.

    The probability makes the expected number of lines n / R, calibration lines included, as in the masks of the
    fastMRI challenge (Zbontar 2018, arXiv:1811.08839).
    """

    kind: Literal["random-lines"] = "random-lines"
    acceleration: Acceleration = 4.0
    n_calibration: CalibrationLines = 24
    seed: Seed = 0

    def __call__(self, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]) -> Mask:
        """Return the mask; ValueError if the calibration lines do not fit or are too many for the acceleration."""
        n_lines = shape[phase_encode_axes[-1]]
        lines = _centre(n_lines, self.n_calibration)
        n_others = n_lines / self.acceleration - self.n_calibration
        _require(n_others >= 0, self.acceleration, f"{self.n_calibration} calibration lines of {n_lines}")
        probability = n_others / max(n_lines - self.n_calibration, 1)
        generator = torch.Generator().manual_seed(self.seed)
        lines |= torch.rand(n_lines, generator=generator, dtype=torch.float64) < probability
        return _repeat(lines, shape, phase_encode_axes[-1])

    @classmethod
    def of_net_acceleration(
        cls, acceleration: float, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]
    ) -> "Undersampling":
        """Choose the first seed that gives the expected number of lines."""
        n_lines = shape[phase_encode_axes[-1]]
        n_calibration, wanted = _calibration_lines(n_lines, acceleration), round(n_lines / acceleration)
        seeded = (cls(acceleration=acceleration, n_calibration=n_calibration, seed=seed) for seed in count())
        return next(each for each in seeded if int(each((1, n_lines), (-1,)).sum()) == wanted)


class Random2D(Undersampling):
    """The centre, and other points at random: exactly (rows x columns) / R points.

    The points are drawn with weights (1 - r)^p, r the distance from the centre over that of the corners
    (Lustig 2007, doi:10.1002/mrm.21391).
    """

    title: ClassVar[str] = "random points"

    kind: Literal["random-2d"] = "random-2d"
    acceleration: Acceleration = 4.0
    n_calibration: CalibrationSide = 24
    density: float = Field(2.0, ge=0, le=20, description="Power p of the sampling density; 0 is uniform")
    seed: Seed = 0

    def __call__(self, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]) -> Mask:
        """Return the mask; ValueError if the calibration square does not fit or is too large for the acceleration."""
        mask = _square(shape, self.n_calibration, self.acceleration)
        n_others = round(mask.numel() / self.acceleration) - int(mask.sum())
        if n_others > 0:
            weights = (1 - _radius(shape) / math.sqrt(2)) ** self.density * ~mask
            generator = torch.Generator().manual_seed(self.seed)
            mask.view(-1)[torch.multinomial(weights.flatten(), n_others, generator=generator)] = True
        return mask

    @classmethod
    def of_net_acceleration(
        cls, acceleration: float, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]
    ) -> "Undersampling":
        """Choose the side of the calibration square, a fifth of the points where that is 8 to 24."""
        return cls(acceleration=acceleration, n_calibration=_calibration_side(shape, acceleration))


class PoissonDisc(Undersampling):
    """The centre, and points of the inscribed ellipse that keep a distance growing with the radius: (1 + s r).

    The discs are thrown by sigpy (Bridson 2007, doi:10.1145/1278780.1278807); the slope s is searched here, in a
    bounded number of trials, for the acceleration asked for, which is met to 5 % at worst and mostly to 0.5 %.
    """

    title: ClassVar[str] = "Poisson disc"

    kind: Literal["poisson-disc"] = "poisson-disc"
    acceleration: Acceleration = 4.0
    n_calibration: CalibrationSide = 24
    seed: Seed = 0

    def __call__(self, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]) -> Mask:
        """Return the mask.

        Raises
        ------
        ValueError
            If the calibration square does not fit or is too large for the acceleration, or if no slope comes within
            5 % of it: below about 1.6 the discs are as dense as they get.
        """
        square = _square(shape, self.n_calibration, self.acceleration)
        wanted = square.numel() / self.acceleration
        mask = _search(lambda slope: square | _discs(shape, slope, self.seed), wanted, float(2 * max(shape)))
        n_sampled = int(mask.sum())
        if abs(n_sampled - wanted) > 0.05 * wanted:
            raise ValueError(
                f"no Poisson-disc mask of {shape[0]} x {shape[1]} with {self.n_calibration} x {self.n_calibration} "
                f"calibration points reaches acceleration {self.acceleration:g}: the nearest is "
                f"{square.numel() / n_sampled:.3g}; change acceleration, n_calibration or seed"
            )
        return mask

    @classmethod
    def of_net_acceleration(
        cls, acceleration: float, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]
    ) -> "Undersampling":
        """Choose the side of the calibration square, a fifth of the points where that is 8 to 24."""
        return cls(acceleration=acceleration, n_calibration=_calibration_side(shape, acceleration))


def _calibration_lines(n_lines: int, acceleration: float) -> int:
    wanted = n_lines / acceleration
    n_calibration = max(_LEAST_CALIBRATION, round(_SHARE_OF_LINES * wanted))
    if wanted <= n_calibration:
        raise ValueError(
            f"acceleration {acceleration:g} leaves {wanted:.3g} of {n_lines} lines, and coil calibration alone takes "
            f"{n_calibration}; lower the acceleration"
        )
    return n_calibration


def _calibration_side(shape: tuple[int, int], acceleration: float) -> int:
    side = round(math.sqrt(_SHARE_OF_POINTS * shape[0] * shape[1] / acceleration))
    return min(max(side, _LEAST_CALIBRATION), _LARGEST_SQUARE)


def _centre(n_lines: int, n_calibration: int) -> Tensor:
    if n_calibration > n_lines:
        raise ValueError(
            f"{n_calibration} calibration lines do not fit into {n_lines} lines; set n_calibration to {n_lines} or less"
        )
    lines = torch.zeros(n_lines, dtype=torch.bool)
    lines[central(n_lines, n_calibration)] = True
    return lines


def _square(shape: tuple[int, int], side: int, acceleration: float) -> Mask:
    square = _centre(shape[0], side)[:, None] & _centre(shape[1], side)
    calibration = f"{side} x {side} calibration points of {shape[0]} x {shape[1]}"
    _require(side**2 <= square.numel() / acceleration, acceleration, calibration)
    return square


def _require(enough: bool, acceleration: float, calibration: str) -> None:
    if not enough:
        raise ValueError(
            f"{calibration} are more than acceleration {acceleration:g} allows; lower n_calibration or acceleration"
        )


def _repeat(lines: Tensor, shape: tuple[int, int], axis: int) -> Mask:
    along_columns = axis % 2 == 1
    return (lines[None, :] if along_columns else lines[:, None]).expand(shape).clone()


def _radius(shape: tuple[int, int]) -> Tensor:
    """Distance from the centre of k-space: below one inside the inscribed ellipse, below the root of two in corners."""
    rows, columns = ((torch.arange(n, dtype=torch.float64) - n // 2) / ((n + 1) / 2) for n in shape)
    return torch.hypot(rows[:, None], columns)


def _discs(shape: tuple[int, int], slope: float, seed: int) -> Mask:
    # The public function searches the slope itself, in a loop that never ends for about one request in a hundred.
    from sigpy.mri.samp import _poisson  # noqa: PLC0415

    radius = _radius(shape)
    spacing_rows, spacing_columns = (((1 + slope * radius) * n / max(shape)).clamp(min=1).numpy() for n in shape)
    discs = _poisson(shape[1], shape[0], 30, spacing_columns, spacing_rows, (0, 0), seed)
    return torch.from_numpy(discs).bool() & (radius < 1)


def _search(mask_of: Callable[[float], Mask], wanted: float, largest: float, n_trials: int = 24) -> Mask:
    """Search the slope whose mask has nearly the wanted number of points; return the best mask seen.

    The number of points is nearly a power of 1 + slope, so that the method of false position on the logarithms of both
    (Illinois variant: Dowell 1971, doi:10.1007/BF01934364) needs few of the masks, which are slow to make.
    """
    best = mask_of(0.0)
    many, few = (0.0, _excess(best, wanted)), (math.log1p(largest), -math.inf)
    place = min(many[1], few[0])
    for _ in range(n_trials if many[1] > 0 else 0):
        mask = mask_of(math.expm1(place))
        excess = _excess(mask, wanted)
        if abs(excess) < abs(_excess(best, wanted)):
            best = mask
        if abs(excess) <= 0.005 or (excess > 0 and place == few[0]):
            break
        if excess > 0:
            many, few = (place, excess), (few[0], few[1] / 2)
        else:
            many, few = (many[0], many[1] / 2), (place, excess)
        share = many[1] / (many[1] - few[1]) if math.isfinite(few[1]) else 0.0
        place = many[0] + share * (few[0] - many[0]) if share else min(2 * place, few[0])
    return best


def _excess(mask: Mask, wanted: float) -> float:
    """Logarithm of how many times too many points a mask has."""
    return math.log(int(mask.sum()) / wanted)
