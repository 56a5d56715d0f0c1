"""Opening a scan of any format: the package's own, and those of other distributions."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from mri_noise.acquisition.scan import Scan
from mri_noise.choices import loaded
from mri_noise.io.bart import bart_pair
from mri_noise.io.echo import with_echo_in_middle
from mri_noise.io.format import Format
from mri_noise.io.hdf5 import open_hdf5

_LOG = logging.getLogger(__name__)


def open_scan(path: Path | str, measurement: str | None = None) -> Scan:
    """Open a scan of any format that is installed, which its content tells; its slices are read one at a time.

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
    chosen = Path(path)
    for each in _formats():
        if _recognises(each, chosen):
            return with_echo_in_middle(each.open(chosen, measurement))
    raise ValueError(_why_not(chosen))


def _formats() -> Iterator[Format]:
    """The package's own formats, then those of other distributions; what is no format is left out, and logged."""
    for found in loaded("formats"):
        if isinstance(found, Format):
            yield found
        else:
            _LOG.warning("an entry point of mri_noise.formats gives %r, which is no Format; it is left out", found)


def _recognises(each: Format, path: Path) -> bool:
    try:
        return each.recognises(path)
    except ValueError:
        raise
    except Exception as error:  # whatever the code of others raises
        _LOG.warning("the format '%s' failed to look at '%s' (%s); it is left out", each.title, path, error)
        return False


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
    return _not_kspace(path)


def _not_kspace(path: Path) -> str:
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            members = ", ".join(str(name) for name in file) or "nothing"
        return (
            f"'{path}' has neither a dataset 'kspace' (fastMRI) nor a group with 'xml' and 'data' (ISMRMRD), "
            f"it has: {members}"
        )
    *titles, last = (each.title for each in _formats())
    return f"'{path}' is of no format that can be read: {', '.join(titles)} and {last}"
