"""What the groups of an ISMRMRD file measured: images, one measurement for each encoding, or noise alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mri_noise.io.ismrmrd.acquisitions import (
    UNREADABLE,
    Entries,
    imaging_acquisitions,
    noise_acquisitions,
    read_headers,
)
from mri_noise.io.ismrmrd.frames import by_loops, is_volumetric
from mri_noise.io.ismrmrd.header import CartesianEncoding, cartesian_encoding, read_header
from mri_noise.io.measurements import Measurement, acquisition_groups


@dataclass(frozen=True, slots=True)
class Group:
    """A group with ``xml`` and ``data``, and the headers of its acquisitions; ``problem`` says why it has none."""

    name: str
    entries: Entries | None
    problem: str = ""


def read_groups(file: h5py.File, path: Path) -> list[Group]:
    """Read the headers of all acquisitions."""
    return [_read_group(file, name, path) for name in acquisition_groups(file)]


def _read_group(file: h5py.File, name: str, path: Path) -> Group:
    try:
        return Group(name, read_headers(file[name]["data"], path))
    except ValueError as error:
        return Group(name, None, str(error))


def measurements_of(file: h5py.File, groups: Sequence[Group], path: Path) -> list[Measurement]:
    """List what images can be made of, in the order of the groups and encodings.

    Raises
    ------
    ValueError
        If there is nothing.
    """
    found = [measurement for group in groups for measurement in _of_group(file, group, path)]
    if not found:
        raise ValueError(f"'{path}' holds no imaging acquisitions; choose a file with k-space lines of an image")
    return found


def _of_group(file: h5py.File, group: Group, path: Path) -> Iterator[Measurement]:
    if group.entries is None:
        yield Measurement(group.name, "cannot be read", 0, group.name, problem=group.problem)
        return
    imaging = imaging_acquisitions(group.entries)
    xml = file[group.name]["xml"]
    encodings = np.unique(imaging["encoding_space_ref"]).tolist()
    for number in encodings:
        name = group.name if len(encodings) == 1 else f"{group.name}/encoding {number}"
        lines = imaging[imaging["encoding_space_ref"] == number]
        n_samples = int((lines["n_kept"] * lines["active_channels"]).sum())
        try:
            content, problem = _content(cartesian_encoding(read_header(xml, path), path, number), lines, path), ""
        except ValueError as error:
            content, problem = "cannot be read", str(error)
        yield Measurement(name, content, n_samples, group.name, number, problem)


def _content(encoding: CartesianEncoding, imaging: Entries, path: Path) -> str:
    """The matrix, and how many slices there are of it; ValueError if they cannot be read."""
    if bool((imaging["flags"] & UNREADABLE).any()):
        raise ValueError(f"'{path}' holds reversed or compressed readouts, which cannot be read; convert them first")
    n_slices, (_, n_lines, n_partitions) = len(by_loops(imaging)), encoding.matrix
    if is_volumetric(imaging, encoding):
        return f"{n_lines} x {n_partitions}, {n_slices * encoding.n_readout} slices"
    return f"{encoding.n_readout} x {n_lines}, {n_slices} slice{'s' * (n_slices > 1)}"


def prescan_for(groups: Sequence[Group], name: str, n_coils: int) -> tuple[str, Entries] | None:
    """Find a group that holds noise alone, of as many coils: the last before the named one, else the first after it."""
    names = [group.name for group in groups]
    before, after = groups[: names.index(name)], groups[names.index(name) + 1 :]
    for group in (*reversed(before), *after):
        if group.entries is not None and len(imaging_acquisitions(group.entries)) == 0:
            noise = noise_acquisitions(group.entries)
            if len(noise) and bool((noise["active_channels"] == n_coils).all()):
                return group.name, noise
    return None
