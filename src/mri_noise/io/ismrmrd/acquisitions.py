"""The acquisitions of an ISMRMRD file: what each of them is for, and its samples.

The headers are read when the file is opened; samples are read when they are asked for, in blocks.
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

from mri_noise.io.volume import BLOCK_BYTES

LOOPS = ("repetition", "set", "phase", "contrast", "slice")
_COUNTERS = ("kspace_encode_step_1", "kspace_encode_step_2", *LOOPS)
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
UNREADABLE = _bits(
    ismrmrd.ACQ_IS_REVERSE,
    ismrmrd.ACQ_COMPRESSION1,
    ismrmrd.ACQ_COMPRESSION2,
    ismrmrd.ACQ_COMPRESSION3,
    ismrmrd.ACQ_COMPRESSION4,
)


@dataclass(frozen=True, slots=True)
class Acquisitions:
    """What a file measured for one encoding, by purpose.

    Attributes
    ----------
    imaging
        Lines of the image, among them those that serve for parallel calibration too.
    reference
        Lines for parallel calibration alone, of any encoding.
    prescan
        Noise measurements, of any encoding.
    """

    imaging: Entries
    reference: Entries
    prescan: Entries


def sort_by_purpose(entries: Entries, encoding: int) -> Acquisitions:
    """Pick out the acquisitions that are of use: imaging ones of one encoding, and all others."""
    imaging, flags = imaging_acquisitions(entries), entries["flags"]
    reference = (flags & (_NOT_IMAGING | UNREADABLE) == 0) & _for_calibration_only(entries)
    return Acquisitions(
        imaging=imaging[imaging["encoding_space_ref"] == encoding],
        reference=entries[reference],
        prescan=noise_acquisitions(entries),
    )


def imaging_acquisitions(entries: Entries) -> Entries:
    """Pick out the lines of images, of all encodings."""
    return entries[(entries["flags"] & _NOT_IMAGING == 0) & ~_for_calibration_only(entries)]


def noise_acquisitions(entries: Entries) -> Entries:
    """Pick out the noise measurements."""
    return entries[entries["flags"] & _NOISE != 0]


def _for_calibration_only(entries: Entries) -> NDArray[np.bool_]:
    return (entries["flags"] & (_CALIBRATION | _CALIBRATION_AND_IMAGING)) == _CALIBRATION


def read_headers(data: h5py.Dataset, path: Path) -> Entries:
    """Read the headers of all acquisitions of a file.

    Raises
    ------
    ValueError
        If ``data`` is no table of acquisitions.
    """
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
