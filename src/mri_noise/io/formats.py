"""Files in and out."""

import os
from dataclasses import replace
from pathlib import Path

import h5py

from mri_noise.acquisition.scan import Scan
from mri_noise.io.bart import bart_pair, open_bart
from mri_noise.io.echo import with_echo_in_middle
from mri_noise.io.fastmri import open_fastmri
from mri_noise.io.fingerprint import fingerprint
from mri_noise.io.hdf5 import open_hdf5
from mri_noise.io.measurements import Measurement, acquisition_groups, choose, require_only, stated

__all__ = ["open_scan"]

_ARRAY = "kspace"
_FORMATS = "fastMRI HDF5, ISMRMRD HDF5 (mridata.org too) and BART .cfl/.hdr"


def open_scan(path: Path | str, measurement: str | None = None) -> Scan:
    """Open a scan of any supported format, which its content tells; its slices are read one at a time.

    For BART, ``path`` names either of the two files or their common stem. Where a file holds several measurements,
    ``measurement`` names one of them; by default it is the one with most image data, and ``Scan.measurements`` lists
    all.

    Raises
    ------
    NoSuchMeasurement
        A ValueError: if the file holds no measurement of that name.
    ValueError
        In one sentence: if there is no such file, or it is of no supported format, or damaged, or not self-contained.
    """
    return with_echo_in_middle(_open(Path(path), measurement))


def _open(path: Path, measurement: str | None) -> Scan:
    if path.is_file() and h5py.is_hdf5(path):
        return _open_hdf5_scan(path, measurement)
    pair = bart_pair(path)
    if pair.samples.is_file() and pair.header.is_file():
        require_only(measurement, path)
        return open_bart(pair)
    raise ValueError(_why_not(path))


def _open_hdf5_scan(path: Path, measurement: str | None) -> Scan:
    with open_hdf5(path) as file:
        members = [str(name) for name in file]
        is_fastmri = isinstance(file.get(_ARRAY), h5py.Dataset)
        groups = acquisition_groups(file)
    if not is_fastmri and not groups:
        raise ValueError(
            f"'{path}' has neither a dataset 'kspace' (fastMRI) nor a group with 'xml' and 'data' (ISMRMRD), "
            f"it has: {', '.join(members) or 'nothing'}"
        )
    if not groups:
        require_only(measurement, path)
        return open_fastmri(path)
    if is_fastmri:
        return _open_either(path, measurement)
    from mri_noise.io.ismrmrd.reader import open_ismrmrd  # noqa: PLC0415

    return open_ismrmrd(path, measurement)


def _open_either(path: Path, measurement: str | None) -> Scan:
    """Open the array of a file that holds acquisitions too, unless these are named."""
    from mri_noise.io.ismrmrd.reader import list_ismrmrd, open_ismrmrd  # noqa: PLC0415

    array = Measurement(_ARRAY, "fastMRI array", 0, _ARRAY)
    measurements = [array, *list_ismrmrd(path)]
    chosen = choose(measurements, measurement or _ARRAY, path)
    if chosen is array:
        return stated(open_fastmri(path), chosen, measurements)
    return stated(
        replace(open_ismrmrd(path, chosen.name), fingerprint=fingerprint(path, part=chosen.name)), chosen, measurements
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
