"""The acquisitions of an ISMRMRD file: which of them make up which slice, where they go, and their samples.

The headers are indexed when the file is opened; samples are read when they are asked for, in blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import ismrmrd
import numpy as np
from numpy.typing import NDArray

from mri_noise.io.ismrmrd_header import CartesianEncoding
from mri_noise.io.volume import BLOCK_BYTES

_LOOPS = ("repetition", "set", "phase", "contrast", "slice")
_COUNTERS = ("kspace_encode_step_1", "kspace_encode_step_2", *_LOOPS)
_COUNTS = ("number_of_samples", "active_channels", "discard_pre", "discard_post", "center_sample", "encoding_space_ref")
_HEADERS_AT_ONCE = 4096

Entries: TypeAlias = NDArray[Any]
"""One entry for each acquisition: its ``row`` in the file, what its header says, and the place of its samples in the
encoded matrix: ``n_kept`` samples from ``start`` along the readout, at ``line`` and ``partition``."""

_ENTRY = np.dtype(
    [("row", "i8"), ("flags", "u8"), ("sample_time_us", "f8")]
    + [(name, "i8") for name in (*_COUNTS, *_COUNTERS, "n_kept", "start", "line", "partition")]
)


def _bits(*flags: int) -> np.uint64:
    return np.uint64(reduce(or_, (1 << (flag - 1) for flag in flags)))


_NOISE = _bits(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
_CALIBRATION = _bits(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
_CALIBRATION_AND_IMAGING = _bits(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING)
_NOT_IMAGING = _bits(
    ismrmrd.ACQ_IS_NOISE_MEASUREMENT,
    ismrmrd.ACQ_IS_NAVIGATION_DATA,
    ismrmrd.ACQ_IS_PHASECORR_DATA,
    ismrmrd.ACQ_IS_HPFEEDBACK_DATA,
    ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
    ismrmrd.ACQ_IS_RTFEEDBACK_DATA,
    ismrmrd.ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA,
    30,  # phase stabilisation reference, which older versions of the package do not name
    31,  # phase stabilisation, likewise
)
_UNREADABLE = _bits(
    ismrmrd.ACQ_IS_REVERSE,
    ismrmrd.ACQ_COMPRESSION1,
    ismrmrd.ACQ_COMPRESSION2,
    ismrmrd.ACQ_COMPRESSION3,
    ismrmrd.ACQ_COMPRESSION4,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The acquisitions of one 2-D slice, or of one 3-D slab.

    Attributes
    ----------
    number
        Of the slice or slab.
    loops
        Name and counter of every other loop that the scan runs through.
    entries
        Each place ``n_averages`` times.
    """

    number: int
    loops: tuple[tuple[str, int], ...]
    entries: Entries
    n_averages: int


@dataclass(frozen=True, slots=True)
class Index:
    """All of a file's acquisitions that are of use.

    Attributes
    ----------
    volumetric
        Whether the frames are 3-D slabs.
    prescan
        Noise measurements.
    """

    frames: tuple[Frame, ...]
    volumetric: bool
    n_coils: int
    prescan: Entries


def index_acquisitions(data: h5py.Dataset, encoding: CartesianEncoding, path: Path) -> Index:
    """Read the headers of all acquisitions and sort them into frames.

    Raises
    ------
    ValueError
        If there are none to make images of, or they are of a kind that cannot be read, or do not fit the header.
    """
    entries = _read_headers(data, path)
    flags = entries["flags"]
    calibration_only = (flags & (_CALIBRATION | _CALIBRATION_AND_IMAGING)) == _CALIBRATION
    imaging = entries[(flags & _NOT_IMAGING == 0) & ~calibration_only & (entries["encoding_space_ref"] == 0)]
    prescan = entries[flags & _NOISE != 0]
    _require_readable(imaging, path)
    if not min(entries["sample_time_us"].min(initial=1) for entries in (imaging, prescan)) > 0:
        imaging["sample_time_us"] = prescan["sample_time_us"] = 1  # unknown: taken to be the same
    volumetric = encoding.matrix[2] > 1 and bool(imaging["kspace_encode_step_2"].any())
    _place(imaging, encoding, volumetric, path)
    n_coils = _one_number_of_coils(imaging, prescan, path)
    return Index(tuple(_frames(imaging, encoding.matrix)), volumetric, n_coils, prescan)


def _read_headers(data: h5py.Dataset, path: Path) -> Entries:
    if data.ndim != 1 or not _is_table_of_acquisitions(data.dtype):
        raise ValueError(f"'{data.name}' in '{path}' is not a table of ISMRMRD acquisitions; convert the raw data anew")
    entries = np.zeros(data.shape, _ENTRY)
    for start in range(0, len(entries), _HEADERS_AT_ONCE):
        block = entries[start : start + _HEADERS_AT_ONCE]
        heads = data.fields("head")[start : start + len(block)]
        for name in ("flags", "sample_time_us", *_COUNTS):
            block[name] = heads[name]
        for name in _COUNTERS:
            block[name] = heads["idx"][name]
    entries["row"] = np.arange(len(entries))
    entries["n_kept"] = entries["number_of_samples"] - entries["discard_pre"] - entries["discard_post"]
    return entries


def _is_table_of_acquisitions(row: np.dtype[Any]) -> bool:
    names = row.names or ()
    if not {"head", "data"}.issubset(names):
        return False
    head, samples = row["head"], h5py.check_vlen_dtype(row["data"])
    counters = head["idx"].names if "idx" in (head.names or ()) else ()
    return (
        samples is not None
        and samples.kind == "f"
        and {"flags", "sample_time_us", *_COUNTS}.issubset(head.names or ())
        and set(_COUNTERS).issubset(counters or ())
    )


def _require_readable(imaging: Entries, path: Path) -> None:
    if len(imaging) == 0:
        raise ValueError(f"'{path}' holds no imaging acquisitions; choose a file with k-space lines of an image")
    if bool((imaging["flags"] & _UNREADABLE).any()):
        raise ValueError(f"'{path}' holds reversed or compressed readouts, which cannot be read; convert them first")


def _one_number_of_coils(imaging: Entries, prescan: Entries, path: Path) -> int:
    n_coils = np.unique(imaging["active_channels"])
    n_prescan_coils = np.unique(prescan["active_channels"])
    if len(n_coils) > 1 or n_coils[0] < 1 or not np.isin(n_prescan_coils, n_coils).all():
        raise ValueError(
            f"all acquisitions in '{path}' should have the same coils, but the imaging ones have {n_coils.tolist()} "
            f"and the noise ones {n_prescan_coils.tolist()}; convert the raw data anew"
        )
    return int(n_coils[0])


def _place(entries: Entries, encoding: CartesianEncoding, volumetric: bool, path: Path) -> None:
    """Fill in where the samples go: echo and central counters in the middle, and a complete readout from end to end."""
    n_samples, n_lines, n_partitions = encoding.matrix
    from_echo = n_samples // 2 - entries["center_sample"] + entries["discard_pre"]
    entries["start"] = np.where(entries["n_kept"] == n_samples, 0, from_echo)
    entries["line"] = entries["kspace_encode_step_1"] - encoding.centers[0] + n_lines // 2
    if volumetric:
        entries["partition"] = entries["kspace_encode_step_2"] - encoding.centers[1] + n_partitions // 2
    inside = (entries["n_kept"] > 0) & (entries["start"] >= 0) & (entries["start"] + entries["n_kept"] <= n_samples)
    for place, n_places in (("line", n_lines), ("partition", n_partitions)):
        inside &= (entries[place] >= 0) & (entries[place] < n_places)
    if not inside.all():
        wrong = entries[~inside][0]
        raise ValueError(
            f"acquisition {wrong['row']} of '{path}' does not fit the encoded matrix {encoding.matrix}: it has "
            f"{wrong['n_kept']} samples from {wrong['start']}, at line {wrong['line']} and partition "
            f"{wrong['partition']}; check center_sample and encodingLimits"
        )


def _frames(entries: Entries, matrix: tuple[int, int, int]) -> Iterator[Frame]:
    counters = np.stack([entries[name] for name in _LOOPS], axis=1)
    frames, member_of, n_members = np.unique(counters, axis=0, return_inverse=True, return_counts=True)
    by_frame = np.split(entries[np.argsort(member_of.ravel(), kind="stable")], np.cumsum(n_members)[:-1])
    runs_through = {name for name, column in zip(_LOOPS, frames.T, strict=True) if len(np.unique(column)) > 1}
    for frame, all_members in zip(frames, by_frame, strict=True):
        members, n_averages = _equally_often(all_members, matrix)
        counts = dict(zip(_LOOPS, frame.tolist(), strict=True))
        loops = tuple((name, counts[name]) for name in _LOOPS[:-1] if name in runs_through)
        yield Frame(counts["slice"], loops, members, n_averages)


def _equally_often(entries: Entries, matrix: tuple[int, int, int]) -> tuple[Entries, int]:
    """Keep the first n acquisitions of each place, n being the least that any place has: noise is then the same."""
    place = entries["line"] * matrix[2] + entries["partition"]
    _, counts = np.unique(place, return_counts=True)
    order = np.argsort(place, kind="stable")
    rank = np.empty(len(entries), dtype=np.int64)
    rank[order] = np.arange(len(entries)) - np.repeat(np.cumsum(counts) - counts, counts)
    n_averages = int(counts.min())
    return entries[rank < n_averages], n_averages


def read_samples(data: h5py.Dataset, entries: Entries, path: Path) -> Iterator[tuple[Any, NDArray[np.complex64]]]:
    """Read acquisitions block by block; give each entry with its samples, shape (coils, n_kept).

    Raises
    ------
    ValueError
        If an acquisition has not as many samples as its header says.
    """
    for block in _consecutive(entries):
        rows = slice(int(block["row"][0]), int(block["row"][-1]) + 1)
        for entry, stored in zip(block, data.fields("data")[rows], strict=True):
            shape = (int(entry["active_channels"]), int(entry["number_of_samples"]))
            if stored.size != 2 * shape[0] * shape[1]:
                raise ValueError(
                    f"acquisition {entry['row']} of '{path}' should have {shape[0]} x {shape[1]} complex samples, but "
                    f"holds {stored.size / 2:g}; the file is damaged"
                )
            first = int(entry["discard_pre"])
            samples = stored.astype(np.float32).view(np.complex64).reshape(shape)
            yield entry, samples[:, first : first + int(entry["n_kept"])]


def _consecutive(entries: Entries) -> Iterator[Entries]:
    """Split at gaps between rows, and into blocks of bounded size."""
    largest = 8 * int((entries["active_channels"] * entries["number_of_samples"]).max(initial=1))
    n_rows = max(1, BLOCK_BYTES // largest)
    for run in np.split(entries, np.flatnonzero(np.diff(entries["row"]) != 1) + 1):
        for start in range(0, len(run), n_rows):
            yield run[start : start + n_rows]
