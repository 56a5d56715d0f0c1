"""What a format of raw scans is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mri_noise.acquisition.scan import Scan


@dataclass(frozen=True, slots=True)
class Format:
    """A format of raw scans; another distribution names its own by an entry point of ``mri_noise.formats``.

    Attributes
    ----------
    title
        What it is called in a list of formats.
    recognises
        Whether a path is of the format, which the content tells and not the name; quick, and False for what it does
        not know.
    open
        Open a scan, whose slices are read one at a time, by path and name of a measurement (None: the main one);
        ValueError, in one sentence, if that cannot be done.
    """

    title: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path, str | None], Scan]
