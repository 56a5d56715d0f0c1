"""The sample scans: in the package where it is installed, in the clone where it is developed."""

from importlib.resources import files
from pathlib import Path

import mri_noise

FOLDER = "sample_data"
FASTMRI = "brain_phantom.h5"
ISMRMRD = "brain_phantom_ismrmrd.h5"


def sample_path(name: str) -> Path:
    """Where a sample scan is.

    Raises
    ------
    ValueError
        If it is in neither place.
    """
    package = Path(str(files(mri_noise)))
    for folder in (package / FOLDER, package.parents[1] / FOLDER):
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"the sample scan '{name}' is not installed; install the package again")
