"""BART: a ``.cfl`` file of samples and a ``.hdr`` file of their dimensions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.io.fingerprint import fingerprint
from mri_noise.io.format import Format
from mri_noise.io.measurements import require_only
from mri_noise.io.readout import readout_ifft
from mri_noise.io.samples import as_complex64, label, measured_points
from mri_noise.io.volume import BLOCK_BYTES, Kept, VolumetricKSpace, temporary_array

_N_DIMENSIONS = 16
_N_ENCODING = 4
"""READ, PHS1, PHS2 and COIL; the others repeat them, or mean that the array is not k-space."""
_SLICE = 13
_LOOPS = {15: "batch", 14: "average", 11: "second time", 10: "time", 5: "echo", _SLICE: "slab"}
"""Dimensions that repeat the encoding, outermost first."""
_HEADER_BYTES = 2**16
_SAMPLE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """The two files of one array."""

    samples: Path
    header: Path


@dataclass(frozen=True, slots=True)
class _Source:
    """An array of samples; a *repeat* is one of its encodings, of shape (READ, PHS1, PHS2, COIL)."""

    path: Path
    dimensions: tuple[int, ...]

    @property
    def volumetric(self) -> bool:
        return self.dimensions[2] > 1

    @property
    def n_repeats(self) -> int:
        return prod(self.dimensions[axis] for axis in _LOOPS)

    def counts(self, repeat: int) -> dict[int, int]:
        """Where a repeat lies in each of the dimensions that loop."""
        places = np.unravel_index(repeat, [self.dimensions[axis] for axis in _LOOPS])
        return {axis: int(place) for axis, place in zip(_LOOPS, places, strict=True)}

    def samples(self, repeat: int) -> NDArray[np.complex64]:
        """Map a repeat: its samples are read from the file when they are used."""
        array = np.memmap(self.path, dtype="<c8", mode="r", shape=self.dimensions, order="F")
        counts = self.counts(repeat)
        place: tuple[Any, ...] = (..., *[counts.get(axis, 0) for axis in range(_N_ENCODING, _N_DIMENSIONS)])
        return array[place]


def bart_pair(path: Path) -> Pair:
    """Name both files from either of them, or from their common stem."""
    stem = str(path.with_suffix("")) if path.suffix in (".cfl", ".hdr") else str(path)
    return Pair(Path(f"{stem}.cfl"), Path(f"{stem}.hdr"))


def _recognises(path: Path) -> bool:
    pair = bart_pair(path)
    return pair.samples.is_file() and pair.header.is_file()


def _open(path: Path, measurement: str | None) -> Scan:
    require_only(measurement, path)
    return open_bart(bart_pair(path))


BART = Format("BART .cfl/.hdr", _recognises, _open)


def open_bart(pair: Pair) -> Scan:
    """Open k-space of the dimensions (READ, PHS1, PHS2, COIL, ...); a 3-D one is cut across its readout.

    Raises
    ------
    ValueError
        If the header is not BART's, or does not fit the samples, or has dimensions that k-space has not.
    """
    source = _Source(pair.samples, _dimensions(pair))
    n_readout, n_lines, n_partitions, n_coils = source.dimensions[:_N_ENCODING]
    read: Callable[[int], Slice] = partial(_read_slice, source)
    if source.volumetric:
        read = partial(_read_across, source, Kept(partial(_volume, source)))
    return Scan(
        name=pair.samples.name,
        layout="BART cfl, 3-D" if source.volumetric else "BART cfl",
        labels=tuple(_labels(source)),
        n_coils=n_coils,
        matrix=(n_lines, n_partitions) if source.volumetric else (n_readout, n_lines),
        phase_encode_axes=(-2, -1) if source.volumetric else (-1,),
        voxel_size=None,
        fingerprint=fingerprint(pair.header, pair.samples),
        read=read,
        files=(pair.samples.absolute(), pair.header.absolute()),
    )


def _labels(source: _Source) -> Iterator[str]:
    looping = [axis for axis in _LOOPS if source.dimensions[axis] > 1]
    for repeat in range(source.n_repeats):
        counts = source.counts(repeat)
        if source.volumetric:
            loops = [(_LOOPS[axis], counts[axis]) for axis in looping]
            yield from (label(position, loops) for position in range(source.dimensions[0]))
        else:
            yield label(counts[_SLICE], [(_LOOPS[axis], counts[axis]) for axis in looping if axis != _SLICE])


def _read_slice(source: _Source, index: int) -> Slice:
    samples = source.samples(index)[:, :, 0]
    kspace = as_complex64(np.moveaxis(samples, -1, 0), f"slice {index} of '{source.path}'")
    return Slice(kspace=kspace, mask=measured_points(kspace))


def _read_across(source: _Source, volume: Callable[[int], VolumetricKSpace], index: int) -> Slice:
    """Read one position along the readout; the first to be read of a repeat transforms the repeat."""
    repeat, position = divmod(index, source.dimensions[0])
    whole = volume(repeat)
    return Slice(
        kspace=as_complex64(whole.samples[position], f"slice {index} of '{source.path}'"),
        mask=whole.mask,
    )


def _volume(source: _Source, repeat: int) -> VolumetricKSpace:
    """Transform a repeat along the readout, some partitions of one coil at a time, into a temporary file."""
    samples = source.samples(repeat)
    n_readout, n_lines, n_partitions, n_coils = samples.shape
    hybrid = temporary_array((n_readout, n_coils, n_lines, n_partitions))
    mask = np.zeros((n_lines, n_partitions), dtype=np.bool_)
    n_at_once = max(1, BLOCK_BYTES // (_SAMPLE_BYTES * n_readout * n_lines))
    for coil in range(n_coils):
        for start in range(0, n_partitions, n_at_once):
            part = np.s_[start : start + n_at_once]
            block = np.array(samples[:, :, part, coil])
            mask[:, part] |= block.any(axis=0)
            hybrid[:, coil, :, part] = readout_ifft(torch.from_numpy(block).movedim(0, -1)).movedim(-1, 0).numpy()
    return VolumetricKSpace(hybrid, torch.from_numpy(mask))


def _dimensions(pair: Pair) -> tuple[int, ...]:
    with pair.header.open("rb") as file:
        lines = [line.strip() for line in file.read(_HEADER_BYTES).decode("utf-8", "replace").splitlines()]
    try:
        numbers = [int(word) for word in lines[lines.index("# Dimensions") + 1].split()]
    except (ValueError, IndexError):
        numbers = []
    if not numbers or min(numbers) < 1 or any(number > 1 for number in numbers[_N_DIMENSIONS:]):
        raise ValueError(f"'{pair.header}' is not a BART header: it should give up to 16 sizes below '# Dimensions'")
    dimensions = (*numbers, *[1] * _N_DIMENSIONS)[:_N_DIMENSIONS]
    _require_kspace(dimensions, pair)
    return dimensions


def _require_kspace(dimensions: tuple[int, ...], pair: Pair) -> None:
    looped = {*range(_N_ENCODING), *_LOOPS}
    foreign = [axis for axis, size in enumerate(dimensions) if size > 1 and axis not in looped]
    if foreign:
        raise ValueError(
            f"'{pair.header}' has sizes {dimensions}, and k-space has none above 1 in dimension {foreign[0]}; "
            "give the k-space of READ, PHS1, PHS2, COIL and loops"
        )
    expected, actual = _SAMPLE_BYTES * prod(dimensions), pair.samples.stat().st_size
    if actual != expected:
        raise ValueError(
            f"'{pair.samples}' should have {expected} bytes for the sizes in its header, but has {actual}; "
            "it is truncated or belongs to another header"
        )
