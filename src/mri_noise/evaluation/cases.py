"""The cases of an evaluation: slices, and the masks that they are undersampled with."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, get_args

from mri_noise.acquisition.masks import AsAcquired, Equispaced, PoissonDisc, RandomLines, Undersampling
from mri_noise.acquisition.scan import Scan
from mri_noise.arrays import Mask

MaskKind = Literal["random-lines", "equispaced", "poisson-disc", "as-acquired"]
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)

_LEAST_CALIBRATION, _LARGEST_SQUARE = 8, 24
_SHARE_OF_LINES, _SHARE_OF_POINTS = 0.32, 0.2
"""Of the samples: what the calibration takes where that is not too small. fastMRI's masks take 0.32 of the lines."""


@dataclass(frozen=True, slots=True)
class Case:
    """One slice under one mask.

    Attributes
    ----------
    acceleration
        As asked for: all points of k-space over those sampled, calibration included.
    """

    scan: Scan
    index: int
    kind: MaskKind
    acceleration: float

    @property
    def label(self) -> str:
        """The case in words."""
        return f"{self.scan.name}, {self.scan.labels[self.index]}, {self.kind}, R = {self.acceleration:g}"

    def undersampling(self) -> Undersampling:
        """Choose the mask.

        Raises
        ------
        ValueError
            If the matrix is too small for the acceleration with a calibration that coil maps can be found in.
        """
        return undersampling_of(self.kind, self.acceleration, self.scan.matrix, self.scan.phase_encode_axes)


def cases(scans: Sequence[Scan], kinds: Sequence[MaskKind], rates: Sequence[float]) -> Iterator[Case]:
    """Every slice with every mask at every acceleration; what was acquired is one case, whatever the accelerations."""
    for scan in scans:
        for index in range(len(scan)):
            for kind in kinds:
                yield from (Case(scan, index, kind, rate) for rate in ([1.0] if kind == "as-acquired" else rates))


def undersampling_of(
    kind: MaskKind, acceleration: float, matrix: tuple[int, int], phase_encode_axes: tuple[int, ...]
) -> Undersampling:
    """Choose a mask of a kind whose net acceleration, calibration included, is the one asked for.

    The calibration is small, as the masks of the fastMRI challenge have it (Zbontar 2018, arXiv:1811.08839), but
    never below the 8 lines, or 8 x 8 points, that coil maps need. Lines at random are those of the first seed that
    gives their expected number; the spacing of equispaced lines makes up for the calibration lines among them.

    Raises
    ------
    ValueError
        If the matrix is too small for the acceleration.
    """
    n_lines = matrix[phase_encode_axes[-1]]
    wanted = n_lines / acceleration
    if kind == "as-acquired":
        return AsAcquired()
    if kind == "poisson-disc":
        side = round(math.sqrt(_SHARE_OF_POINTS * matrix[0] * matrix[1] / acceleration))
        side = min(max(side, _LEAST_CALIBRATION), _LARGEST_SQUARE)
        return PoissonDisc(acceleration=acceleration, n_calibration=side)
    n_calibration = max(_LEAST_CALIBRATION, round(_SHARE_OF_LINES * wanted))
    if wanted <= n_calibration:
        raise ValueError(
            f"acceleration {acceleration:g} leaves {wanted:.3g} of {n_lines} lines, and coil calibration alone takes "
            f"{n_calibration}; lower --accelerations"
        )
    if kind == "equispaced":
        spacing = (n_lines - n_calibration) / (wanted - n_calibration)
        return Equispaced(acceleration=spacing, n_calibration=n_calibration, offset=_offset(spacing, n_lines))
    return _of_expected_number(RandomLines(acceleration=acceleration, n_calibration=n_calibration), n_lines)


def _offset(spacing: float, n_lines: int) -> int:
    """A line such that the lattice is about symmetric in k-space."""
    return round((n_lines - 1) % spacing / 2)


def _of_expected_number(choice: RandomLines, n_lines: int) -> RandomLines:
    """The first seed that gives the expected number of lines."""
    wanted = round(n_lines / choice.acceleration)
    seeded = (choice.model_copy(update={"seed": seed}) for seed in count())
    return next(each for each in seeded if _n_sampled(each, n_lines) == wanted)


def _n_sampled(choice: RandomLines, n_lines: int) -> int:
    mask: Mask = choice((1, n_lines), (-1,))
    return int(mask.sum())
