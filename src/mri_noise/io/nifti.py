"""Maps to NIfTI volumes, with the experiment in their headers, and back."""

import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Shaped
from pydantic_core import from_json
from torch import Tensor

from mri_noise.arrays import RealMap
from mri_noise.atomic import check_writable, replacing_all
from mri_noise.io.summary import Summary, damaged, estimated, from_plain, summarize, to_plain
from mri_noise.result import Result
from mri_noise.variance.check.first_look import without_first_look
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.maps import acceleration, g_factor, snr, std_error

if TYPE_CHECKING:
    from nibabel import Nifti1Image

VoxelSize = tuple[float, float, float]
_Read = Callable[[Result, VarianceEstimate], Tensor | None]

_ALIGNED = 2  # NIfTI's codes: coordinates with an origin of their own,
_COMMENT = 6  # and a header extension of plain text


@dataclass(frozen=True, slots=True)
class NiftiVolume:
    """A map of all slices of a result.

    Attributes
    ----------
    values : shape (slices, rows, columns)
    voxel_size
        (slice, row, column) [mm], in single precision; None where the scan does not say.
    summary
        The experiment, and what there is to say of each slice.
    """

    values: Shaped[Tensor, "slices rows columns"]
    voxel_size: VoxelSize | None
    summary: Summary


def save_nifti(results: Iterable[Result], stem: Path | str) -> list[Path]:
    """Write one volume for each map that the method computes, ``STEM_std.nii.gz`` and so on, and return their paths.

    ``docs/formats.md`` lists the maps. The files take their names, and the places of former ones, when all are
    written. A ``.nii`` or ``.nii.gz`` at the end of the stem is dropped.

    Raises
    ------
    ValueError
        In one sentence: if a file cannot be written (before the first result is asked for), or the results cannot
        be saved together.
    """
    for path in volume_paths(stem):
        check_writable(path)
    pairs = [(result, without_first_look(estimate)) for result, estimate in estimated(results)]
    summary = Summary(
        experiment=pairs[0][0].experiment,
        slices=tuple(summarize(result, estimate) for result, estimate in pairs),
        provenance=tuple(result.provenance for result, _ in pairs),
    )
    computed = {
        path: (torch.stack(of_all).cpu(), description)
        for path, (description, read) in zip(volume_paths(stem), _MAPS.values(), strict=True)
        if len(of_all := _of_all(read, pairs)) == len(pairs)
    }
    with replacing_all(list(computed)) as drafts:
        for draft, (values, description) in zip(drafts, computed.values(), strict=True):
            draft.write(_encode(values, description, summary))
            draft.check()
    return list(computed)


def volume_paths(stem: Path | str) -> list[Path]:
    """Every file that :func:`save_nifti` may write."""
    name = Path(stem).name.removesuffix(".gz").removesuffix(".nii")
    return [Path(stem).with_name(f"{name}_{of_map}.nii.gz") for of_map in _MAPS]


def load_nifti(path: Path) -> NiftiVolume:
    """Read a volume that :func:`save_nifti` has written; for scripts, since no part of the package reads one.

    Raises
    ------
    ValueError
        In one sentence: if the file is not a NIfTI volume, or not one of ours.
    """
    import nibabel  # noqa: PLC0415

    try:
        image = nibabel.Nifti1Image.from_filename(path)
        values = np.asarray(image.dataobj)
    except Exception as error:  # those of nibabel have no base in common
        reason = " ".join(str(error).split())
        raise ValueError(
            f"cannot read '{path}' as NIfTI ({reason}); it may be truncated, damaged or of another format"
        ) from None
    summary = _read_summary(image, str(path))
    if values.ndim != 3 or values.shape[2] != len(summary.slices):
        raise damaged(str(path), f"it is of shape {values.shape} and names {len(summary.slices)} slices")
    columns, rows, slices = (float(zoom) for zoom in image.header.get_zooms())
    is_known = image.header.get_xyzt_units()[0] == "mm"
    return NiftiVolume(torch.tensor(values.T), (slices, rows, columns) if is_known else None, summary)


def _of_all(read: _Read, pairs: Sequence[tuple[Result, VarianceEstimate]]) -> list[Tensor]:
    """A map of each slice that has it."""
    return [value for result, estimate in pairs if (value := read(result, estimate)) is not None]


def _std(result: Result, estimate: VarianceEstimate) -> RealMap:
    return estimate.variance_magnitude.sqrt()


def _standard_error(result: Result, estimate: VarianceEstimate) -> RealMap:
    return std_error(estimate.variance_magnitude, estimate.standard_error_magnitude)


def _snr(result: Result, estimate: VarianceEstimate) -> RealMap:
    return snr(result.image, estimate.variance_magnitude)


def _g_factor(result: Result, estimate: VarianceEstimate) -> RealMap:
    return g_factor(2 * estimate.variance_magnitude, result.full_variance, acceleration(result.mask))


def _std_of(estimate: VarianceEstimate, channel: Channel) -> RealMap | None:
    return estimate.channels[channel].variance.sqrt() if channel in estimate.channels else None


_MAPS: dict[str, tuple[str, _Read]] = {
    "image": ("complex image [data units]", lambda result, estimate: result.image),
    "std": ("noise std of the magnitude [data units]", _std),
    "std_real": ("noise std, real part [data units]", lambda result, estimate: _std_of(estimate, "real")),
    "std_imaginary": (
        "noise std, imaginary part [data units]",
        lambda result, estimate: _std_of(estimate, "imaginary"),
    ),
    "standard_error": ("standard error of std [data units]", _standard_error),
    "snr": ("SNR of the magnitude", _snr),
    "gfactor": ("g-factor", _g_factor),
    "object": ("object mask", lambda result, estimate: result.object),
}


def _encode(values: Shaped[Tensor, "slices rows columns"], description: str, summary: Summary) -> bytes:
    """A compressed NIfTI file, in single precision."""
    import nibabel  # noqa: PLC0415

    voxel_size = summary.provenance[0].voxel_size
    affine = _affine(tuple(values.shape), voxel_size or (1.0, 1.0, 1.0))
    image = nibabel.Nifti1Image(_in_single_precision(values).numpy().T, affine)
    image.set_sform(affine, code=_ALIGNED)
    image.set_qform(affine, code=_ALIGNED)
    image.header.set_xyzt_units("mm" if voxel_size else "unknown")
    image.header["descrip"] = f"{description}; array orientation".encode()
    text = json.dumps(to_plain(summary)).encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(_COMMENT, text))
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def _in_single_precision(values: Tensor) -> Tensor:
    if values.dtype == torch.bool:
        return values.to(torch.uint8)
    return values.to(torch.complex64 if values.is_complex() else torch.float32)


def _affine(shape: tuple[int, ...], voxel_size: VoxelSize) -> np.ndarray:
    """From (column, row, slice) to [mm], with the centre of the volume at the origin."""
    steps, counts = np.array(voxel_size[::-1]), np.array(shape[::-1])
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (counts - 1) / 2
    return affine


def _read_summary(image: "Nifti1Image", file: str) -> Summary:
    """The summary in the first comment of the header."""
    comments = [extension.get_content() for extension in image.header.extensions if extension.get_code() == _COMMENT]
    try:
        values = from_json(comments[0].rstrip(b"\0"))
    except (IndexError, ValueError):
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"'{file}' is not a map of mri-noise: its header holds no experiment; give one of its volumes")
    return from_plain(values, file)
