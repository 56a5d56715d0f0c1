"""Which acquisitions of an ISMRMRD file make up which slice, and where they go in its k-space.

Lines that a scanner measured for parallel calibration alone are k-space like any others where they fill places between
the lines of the image, measured alike (an integrated reference). Those that repeat places of the image, or were
measured in another way, are a scan of their own (a separate reference): their contrast may differ, and so may their
noise, and they stay out of k-space.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mri_noise.io.ismrmrd.acquisitions import LOOPS, Acquisitions, Entries
from mri_noise.io.ismrmrd.header import CartesianEncoding

_AXES = ("start", "line", "partition")
"""Where an acquisition lies along the axes of the encoded matrix."""
_SAME_DWELL_TIME = 1e-3

Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Frame:
    """The acquisitions of one 2-D slice, or of one 3-D slab.

    Attributes
    ----------
    number
        Number of the slice or slab.
    loops
        Name and counter of every other loop that the scan runs through.
    entries
        Each place ``n_averages`` times, in the order of the file.
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


def index_frames(acquired: Acquisitions, encoding: CartesianEncoding, path: Path) -> Index:
    """Sort the acquisitions of an encoding, of which some are imaging ones, into frames.

    Raises
    ------
    ValueError
        If their coils differ, or they do not fit the header.
    """
    _settle_dwell_times(acquired)
    n_coils = _one_number_of_coils(acquired, path)
    volumetric = is_volumetric(acquired.imaging, encoding)
    for entries in (acquired.imaging, acquired.reference):
        place(entries, encoding, volumetric)
    return Index(tuple(_frames(acquired, encoding, path)), volumetric, n_coils, acquired.prescan)


def is_volumetric(imaging: Entries, encoding: CartesianEncoding) -> bool:
    """Whether the second phase encode counts, rather than slices stacked in a 3-D matrix."""
    return encoding.matrix[2] > 1 and bool(imaging["kspace_encode_step_2"].any())


def _settle_dwell_times(acquired: Acquisitions) -> None:
    """Where a dwell time is not known, all are taken to be the same; that of a reference, to be the image's."""
    imaging, reference, prescan = acquired.imaging, acquired.reference, acquired.prescan
    if not min(entries["sample_time_us"].min(initial=1) for entries in (imaging, prescan)) > 0:
        for entries in (imaging, reference, prescan):
            entries["sample_time_us"] = 1
    reference["sample_time_us"][~(reference["sample_time_us"] > 0)] = imaging["sample_time_us"][0]


def _one_number_of_coils(acquired: Acquisitions, path: Path) -> int:
    n_coils = np.unique(acquired.imaging["active_channels"])
    n_prescan_coils = np.unique(acquired.prescan["active_channels"])
    if len(n_coils) > 1 or n_coils[0] < 1 or not np.isin(n_prescan_coils, n_coils).all():
        raise ValueError(
            f"all acquisitions in '{path}' should have the same coils, but the imaging ones have {n_coils.tolist()} "
            f"and the noise ones {n_prescan_coils.tolist()}; convert the raw data anew"
        )
    return int(n_coils[0])


def place(entries: Entries, encoding: CartesianEncoding, volumetric: bool) -> None:
    """Fill in where the samples go: echo and central counters in the middle, and a complete readout from end to end."""
    n_samples, n_lines, n_partitions = encoding.matrix
    from_echo = n_samples // 2 - entries["center_sample"] + entries["discard_pre"]
    entries["start"] = np.where(entries["n_kept"] == n_samples, 0, from_echo)
    entries["line"] = entries["kspace_encode_step_1"] - encoding.centers[0] + n_lines // 2
    if volumetric:
        entries["partition"] = entries["kspace_encode_step_2"] - encoding.centers[1] + n_partitions // 2


def fits(entries: Entries, encoding: CartesianEncoding) -> Flags:
    """Whether each acquisition, as it is placed, lies in the encoded matrix."""
    inside = entries["n_kept"] > 0
    for name, n_places in zip(_AXES, encoding.matrix, strict=True):
        inside &= (entries[name] >= 0) & (_end(entries, name) <= n_places)
    return inside


def _fits_beside(entries: Entries, others: Entries, encoding: CartesianEncoding) -> Flags:
    """Whether each acquisition spans, together with all others, no more than the encoded matrix."""
    together = entries["n_kept"] > 0
    for name, n_places in zip(_AXES, encoding.matrix, strict=True):
        first = np.minimum(entries[name], others[name].min())
        together &= np.maximum(_end(entries, name), _end(others, name).max()) - first <= n_places
    return together


def _end(entries: Entries, axis: str) -> NDArray[np.int64]:
    return entries[axis] + (entries["n_kept"] if axis == "start" else 1)


def _require_fit(entries: Entries, encoding: CartesianEncoding, path: Path) -> None:
    if not _fits_beside(entries, entries, encoding).all():
        wrong = entries[~fits(entries, encoding)][0]
        raise ValueError(
            f"acquisition {wrong['row']} of '{path}' does not fit the encoded matrix {encoding.matrix}: it has "
            f"{wrong['n_kept']} samples from {wrong['start']}, at line {wrong['line']} and partition "
            f"{wrong['partition']}; check center_sample and encodingLimits"
        )


def _wrap(entries: Entries, encoding: CartesianEncoding) -> None:
    """Let what goes over one end of the encoded matrix go on at the other.

    Where all lines fit into the matrix but not about the centre that the header states, that centre is wrong. A
    circular shift of k-space is a phase over the image, so that nothing is lost until the echo is found.
    """
    for name, n_places in zip(_AXES, encoding.matrix, strict=True):
        entries[name] %= n_places


def _frames(acquired: Acquisitions, encoding: CartesianEncoding, path: Path) -> Iterator[Frame]:
    imaging, reference = by_loops(acquired.imaging), by_loops(acquired.reference)
    runs_through = {name for name, counts in zip(LOOPS, zip(*imaging, strict=True), strict=True) if len({*counts}) > 1}
    for loops, members in imaging.items():
        _require_fit(members, encoding, path)
        lines = reference.get(loops, acquired.reference[:0])
        lines = lines[_fits_beside(lines, members, encoding)]
        for placed in (members, lines):
            _wrap(placed, encoding)
        entries, n_averages = _equally_often(members, encoding)
        between = _integrated(lines, members, n_averages, encoding)
        counts = dict(zip(LOOPS, loops, strict=True))
        named = tuple((name, counts[name]) for name in LOOPS[:-1] if name in runs_through)
        yield Frame(counts["slice"], named, np.sort(np.concatenate([entries, between]), order="row"), n_averages)


def by_loops(entries: Entries) -> dict[tuple[int, ...], Entries]:
    """The acquisitions of each combination of loop counters, in the order of the counters."""
    counters = np.stack([entries[name] for name in LOOPS], axis=1)
    combinations, member_of = np.unique(counters, axis=0, return_inverse=True)
    order = np.argsort(member_of.ravel(), kind="stable")
    parts = np.split(entries[order], np.cumsum(np.bincount(member_of.ravel()))[:-1])
    return dict(zip(map(tuple, combinations.tolist()), parts, strict=True)) if len(entries) else {}


def _equally_often(entries: Entries, encoding: CartesianEncoding) -> tuple[Entries, int]:
    """Keep the first n acquisitions of each place, n being the least that any place has: noise is then the same."""
    rank, counts = repeats(places(entries, encoding))
    n_averages = int(counts.min())
    return entries[rank < n_averages], n_averages


def _integrated(reference: Entries, imaging: Entries, n_averages: int, encoding: CartesianEncoding) -> Entries:
    """The reference lines of a frame that belong to its k-space: none if any of them repeats a place of the image.

    Places that were measured less often than those of the image have more noise, and are left out. The image is not
    cut down to their number of averages: that would cost all of it signal, for the sake of a few lines.
    """
    alike = reference[measured_alike(reference, imaging)]
    where = places(alike, encoding)
    if len(alike) == 0 or np.isin(where, places(imaging, encoding)).any():
        return reference[:0]
    rank, counts = repeats(where)
    return alike[(counts >= n_averages) & (rank < n_averages)]


def measured_alike(reference: Entries, imaging: Entries) -> Flags:
    """Whether each reference line has encoding, coils, dwell time and readout in common with the lines of the image."""
    first = imaging[0]
    same = [reference[name] == first[name] for name in ("encoding_space_ref", "active_channels")]
    dwell_time = np.isclose(reference["sample_time_us"], first["sample_time_us"], rtol=_SAME_DWELL_TIME, atol=0)
    readouts = {*zip(imaging["start"].tolist(), imaging["n_kept"].tolist(), strict=True)}
    pairs = zip(reference["start"].tolist(), reference["n_kept"].tolist(), strict=True)
    same_readout = np.fromiter((pair in readouts for pair in pairs), dtype=np.bool_, count=len(reference))
    return dwell_time & same_readout & np.logical_and.reduce(same)


def places(entries: Entries, encoding: CartesianEncoding) -> NDArray[np.int64]:
    """Number the places of lines and partitions."""
    return entries["line"] * encoding.matrix[2] + entries["partition"]


def repeats(where: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each acquisition, how many of its place came before it, and how many its place has in all."""
    _, place_of, counts = np.unique(where, return_inverse=True, return_counts=True)
    order = np.argsort(place_of, kind="stable")
    rank = np.empty(len(where), dtype=np.int64)
    rank[order] = np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank, counts[place_of]
