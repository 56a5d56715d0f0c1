"""What all readers do with samples: check them, find which were measured, name their slice."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mri_noise.arrays import KSpace, Mask

_FEW = 0.01
"""Below this share, zeros among the samples are measured values (integer raw data), not gaps in the sampling."""


def as_complex64(samples: NDArray[Any], where: str) -> KSpace:
    """Copy the coils of a slice into a tensor; ``where`` names the slice in errors.

    Raises
    ------
    ValueError
        If a value is NaN, or infinite in single precision, or if all are zero.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = torch.from_numpy(np.array(samples, dtype=np.complex64, order="C"))
    if not bool(torch.isfinite(torch.view_as_real(values)).all()):
        raise ValueError(f"{where} holds NaN or infinite values; choose another slice or repair the file")
    if not bool(values.any()):
        raise ValueError(f"{where} holds nothing but zeros; choose another slice or check how the file was written")
    return values


def measured_lines(kspace: KSpace) -> Mask:
    """False in the rows and columns that are zero throughout in all coils: those were never measured."""
    points = (kspace != 0).any(0)
    return points.any(1)[:, None] & points.any(0)[None, :]


def measured_points(kspace: KSpace) -> Mask:
    """True where any coil is non-zero; a few lone zeros within measured lines count as measured."""
    points, lines = (kspace != 0).any(0), measured_lines(kspace)
    n_zeros = int(lines.sum()) - int(points.sum())
    return lines if n_zeros < _FEW * int(lines.sum()) else points


def label(index: int, loops: Iterable[tuple[str, int]]) -> str:
    """Name a slice, such as ``slice 3, repetition 2``."""
    return ", ".join(f"{name} {count}" for name, count in (("slice", index), *loops))


def counted(labels: Sequence[str]) -> str:
    """Say how many slices there are, and of what they are made up, such as ``24 (12 slices x 2 contrasts)``."""
    counts: dict[str, set[str]] = {}
    for part in (part for text in labels for part in text.split(", ")):
        name, _, count = part.rpartition(" ")
        counts.setdefault(name, set()).add(count)
    if len(counts) < 2:
        return str(len(labels))
    complete = prod(map(len, counts.values())) == len(labels)
    each = (" x " if complete else ", ").join(_plural(name, len(values)) for name, values in counts.items())
    return f"{len(labels)} ({each}{'' if complete else ', not in every combination'})"


def _plural(name: str, n: int) -> str:
    ending = "" if n == 1 else "es" if name.endswith(("ch", "o")) else "s"
    return f"{n} {name}{ending}"
