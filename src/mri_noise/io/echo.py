"""The echo, where k-space is largest: found in the data, and moved to the middle if a file has it elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.arrays import KSpace

_NEAR = 3
"""Samples from the middle within which the echo of a sound file lies: phases of coils and object move it by up to 2."""
_CLEARLY = 4.0
"""How many times the power near the middle an echo elsewhere has at least."""
_ABOVE_NOISE = 50.0
"""How many times the median power it has at least, each summed over 3 x 3 samples; noise alone has 4 at most."""


def with_echo_in_middle(scan: Scan) -> Scan:
    """The scan, each slice of which has its echo in the middle of k-space.

    A wrong centre in a header, other timing than it says and arrays in FFT order put the echo elsewhere. Coil maps are
    then calibrated on samples without signal, and networks see phases that they were not trained with.
    """
    return replace(scan, read=partial(_read, scan.read))


def _read(read: Callable[[int], Slice], index: int) -> Slice:
    piece = read(index)
    rows, columns = echo_offset(piece.kspace)
    if (rows, columns) == (0, 0):
        return piece
    return replace(
        piece,
        kspace=torch.roll(piece.kspace, (-rows, -columns), (-2, -1)),
        mask=torch.roll(piece.mask, (-rows, -columns), (-2, -1)),
        remarks=(
            *piece.remarks,
            f"the echo was found {_distance(rows, columns)} from the middle of k-space and moved there",
        ),
    )


def _distance(rows: int, columns: int) -> str:
    return " and ".join(f"{n:+d} {name}" for n, name in ((rows, "rows"), (columns, "columns")) if n)


def echo_offset(kspace: KSpace) -> tuple[int, int]:
    """How far (rows, columns) the echo lies from the middle, index n // 2; (0, 0) if it is near, or nothing stands out.

    To move k-space around its edges by that is exact: at the voxels of the image it is a factor exp(i phi) that varies
    linearly, for any sampling.
    """
    single = kspace.abs().double().square().sum(0)
    power = torch.stack([torch.roll(single, (r, c), (0, 1)) for r in (-1, 0, 1) for c in (-1, 0, 1)]).sum(0)
    middle = [n // 2 for n in power.shape]
    around = tuple(slice(max(0, m - _NEAR), m + _NEAR + 1) for m in middle)
    largest, sampled = power.max(), power[power > 0]
    if float(largest) <= max(_CLEARLY * float(power[around].max()), _ABOVE_NOISE * float(sampled.median())):
        return 0, 0
    row, column = divmod(int(power.argmax()), power.shape[1])
    return row - middle[0], column - middle[1]
