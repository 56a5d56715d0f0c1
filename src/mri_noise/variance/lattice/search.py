"""Lattices of voxels: colourings of an image whose equal colours are far apart, and their scores."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mri_noise.arrays import Mask
from mri_noise.variance.plan import Lattice

Density = NDArray[np.float64]
"""Squared correlation of a voxel's noise with that of others, over displacements: (2 rows - 1, 2 columns - 1)."""

_GHOST = 0.25
_NEAR = 3
"""Voxels around the origin of a point-spread function that are its main lobe."""


@dataclass(frozen=True, slots=True)
class ScoredLattice:
    """A lattice, and the sum of a density over its points without the origin."""

    lattice: Lattice
    score: float


def ghosts(mask: Mask) -> frozenset[tuple[int, int]]:
    """Displacements at which a sampling pattern repeats the image: other peaks of its point-spread function.

    A peak is at least a quarter as high as the one at the origin. Each ghost is listed with its periodic images, as a
    displacement (rows, columns) inside the image.
    """
    spread = _point_spread(mask)
    around = [np.roll(spread, (dy, dx), axis=(0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    peaks = (spread >= np.max(around, axis=0)) & (spread > _GHOST * spread[0, 0])
    peaks[0, 0] = False
    n_rows, n_columns = mask.shape
    places = [(int(y), int(x)) for y, x in np.argwhere(peaks)]
    return frozenset((y - i * n_rows, x - j * n_columns) for y, x in places for i in (0, 1) for j in (0, 1))


def n_aliases(mask: Mask) -> float:
    """Number of displacements over which a sampling pattern spreads a voxel: (sum p)^2 / sum p^2 of the power p there.

    Those within 3 voxels, which resolution and not aliasing decides, are left out; zero if there is nothing else.
    """
    power = _point_spread(mask) ** 2
    rows, columns = (np.abs(np.fft.fftfreq(n, 1 / n)) for n in mask.shape)
    far = power[np.hypot(rows[:, None], columns[None, :]) > _NEAR]
    total = float(far.sum())
    return total**2 / float((far**2).sum()) if total > 1e-9 * float(power.sum()) else 0.0


def _point_spread(mask: Mask) -> NDArray[np.float64]:
    spread: NDArray[np.float64] = np.abs(np.fft.ifft2(mask.cpu().numpy().astype(float)))
    return spread


def best_lattices(
    density: Density, avoid: frozenset[tuple[int, int]] = frozenset(), *, largest_index: int
) -> dict[int, ScoredLattice]:
    """Find the lattice of the least score for each index, among those that hold none of the displacements to avoid.

    Every lattice is scored; of equal ones the first in the order of (column step, row step, shift) is kept.
    """
    best: dict[int, ScoredLattice] = {}
    for scored in _best_shifts(density, avoid, largest_index):
        index = scored.lattice.index
        if index not in best or scored.score < best[index].score:
            best[index] = scored
    return dict(sorted(best.items()))


def lattice_score(density: Density, lattice: Lattice) -> float:
    """Sum of a density over the points of a lattice without the origin."""
    n_rows, n_columns = (n // 2 for n in density.shape)
    rows, columns = np.arange(-n_rows, n_rows + 1)[:, None], np.arange(-n_columns, n_columns + 1)[None, :]
    across = (columns - lattice.shift * (rows // lattice.row_step)) % lattice.column_step
    inside = (rows % lattice.row_step == 0) & (across == 0)
    return float(density[inside].sum() - density[n_rows, n_columns])


def _best_shifts(density: Density, avoid: frozenset[tuple[int, int]], largest_index: int) -> Iterator[ScoredLattice]:
    """The best shift of each pair of steps: columns are folded once a column step, then a shift has one entry a row."""
    middle, centre = density.shape[0] // 2, density.shape[1] // 2
    for column_step in range(1, min(largest_index, centre + 1) + 1):
        folded = _fold(density, column_step)
        shifts = np.arange(column_step)
        for row_step in range(1, min(largest_index // column_step, middle + 1) + 1):
            steps = np.arange(-(middle // row_step), middle // row_step + 1)
            places = (shifts[:, None] * steps) % column_step
            sums = folded[middle + row_step * steps, places].sum(1) - density[middle, centre]
            sums[_aligned(row_step, column_step, shifts, avoid)] = np.inf
            shift = int(np.argmin(sums))
            if np.isfinite(sums[shift]):
                yield ScoredLattice(Lattice(row_step, column_step, shift), float(sums[shift]))


def _aligned(
    row_step: int, column_step: int, shifts: NDArray[np.int64], avoid: frozenset[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Which shifts give a lattice that holds a displacement to avoid."""
    aligned = np.zeros(len(shifts), dtype=bool)
    for y, x in avoid:
        if y % row_step == 0:
            aligned |= (x - shifts * (y // row_step)) % column_step == 0
    return aligned


def _fold(density: Density, column_step: int) -> Density:
    """Sum the columns that are equal modulo a step, counted from the middle one."""
    n_rows, n_columns = density.shape
    first = -(n_columns // 2) % column_step
    padded = np.zeros((n_rows, math.ceil((first + n_columns) / column_step) * column_step))
    padded[:, first : first + n_columns] = density
    folded: Density = padded.reshape(n_rows, -1, column_step).sum(1)
    return folded
