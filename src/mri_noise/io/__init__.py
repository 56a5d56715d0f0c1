"""Files in and out."""

import os
from pathlib import Path

import h5py

from mri_noise.io.bart import bart_pair, open_bart
from mri_noise.io.echo import with_echo_in_middle
from mri_noise.io.fastmri import open_fastmri
from mri_noise.io.hdf5 import open_hdf5
from mri_noise.scan import Scan

__all__ = ["open_scan"]

_FORMATS = "fastMRI HDF5, ISMRMRD HDF5 (mridata.org too) and BART .cfl/.hdr"


def open_scan(path: Path | str) -> Scan:
    """Open a scan of any supported format, which its content tells; its slices are read one at a time.

    For BART, ``path`` names either of the two files or their common stem.

    Raises
    ------
    ValueError
        In one sentence: if there is no such file, or it is of no supported format, or damaged, or not self-contained.
    """
    return with_echo_in_middle(_open(Path(path)))


def _open(path: Path) -> Scan:
    if path.is_file() and h5py.is_hdf5(path):
        return _open_hdf5_scan(path)
    pair = bart_pair(path)
    if pair.samples.is_file() and pair.header.is_file():
        return open_bart(pair)
    raise ValueError(_why_not(path))


def _open_hdf5_scan(path: Path) -> Scan:
    with open_hdf5(path) as file:
        members = [str(name) for name in file]
        is_fastmri = isinstance(file.get("kspace"), h5py.Dataset)
        groups = [name for name in members if _holds_acquisitions(file.get(name))]
    if is_fastmri:
        return open_fastmri(path)
    if groups:
        from mri_noise.io.ismrmrd import open_ismrmrd  # noqa: PLC0415

        return open_ismrmrd(path, "dataset" if "dataset" in groups else groups[0])
    raise ValueError(
        f"'{path}' has neither a dataset 'kspace' (fastMRI) nor a group with 'xml' and 'data' (ISMRMRD), "
        f"it has: {', '.join(members) or 'nothing'}"
    )


def _holds_acquisitions(member: object) -> bool:
    return isinstance(member, h5py.Group) and all(
        isinstance(member.get(name), h5py.Dataset) for name in ("xml", "data")
    )


def _why_not(path: Path) -> str:
    pair = bart_pair(path)
    if pair.samples.is_file() or pair.header.is_file():
        missing = pair.header if pair.samples.is_file() else pair.samples
        return f"BART k-space is a pair of files, and '{missing}' is missing; put it beside its partner"
    if not path.exists():
        return f"there is no file '{path}'; check the path"
    if path.is_dir():
        return f"'{path}' is a folder; name a file in it"
    if not os.access(path, os.R_OK):
        return f"'{path}' cannot be read; check its permissions"
    if path.stat().st_size == 0:
        return f"'{path}' is empty; copy or download it again"
    return f"'{path}' is of no format that can be read: {_FORMATS}"
