"""fastMRI HDF5: one ``kspace`` array, and what may lie beside it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from mri_noise.acquisition.noise import Noise, noise_from_covariance, noise_from_samples
from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.arrays import Mask, RealMap
from mri_noise.io.fingerprint import fingerprint
from mri_noise.io.format import Format
from mri_noise.io.hdf5 import open_hdf5
from mri_noise.io.measurements import Measurement, acquisition_groups, choose, require_only, stated
from mri_noise.io.samples import as_complex64, label, measured_lines, measured_points

_ARRAY = "kspace"
_MAPS = ("sensitivity_maps", "coil_maps")
_REFERENCES = ("reconstruction_rss", "reconstruction_esc")


def _recognises(path: Path) -> bool:
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return isinstance(file.get(_ARRAY), h5py.Dataset)


def _open(path: Path, measurement: str | None) -> Scan:
    """Open the array of a file; where the file holds acquisitions too, these can be named."""
    with open_hdf5(path) as file:
        groups = acquisition_groups(file)
    if not groups:
        require_only(measurement, path)
        return open_fastmri(path)
    from mri_noise.io.ismrmrd.reader import list_ismrmrd, open_ismrmrd  # noqa: PLC0415 - slow, and seldom needed

    array = Measurement(_ARRAY, "fastMRI array", 0, _ARRAY)
    measurements = [array, *list_ismrmrd(path)]
    chosen = choose(measurements, measurement or _ARRAY, path)
    if chosen is array:
        return stated(open_fastmri(path), chosen, measurements)
    return stated(
        replace(open_ismrmrd(path, chosen.name), fingerprint=fingerprint(path, part=chosen.name)), chosen, measurements
    )


FASTMRI = Format("fastMRI HDF5", _recognises, _open)


def open_fastmri(path: Path) -> Scan:
    """Open a file whose ``kspace`` is (slices, coils, rows, columns), or (slices, rows, columns) for one coil.

    Raises
    ------
    ValueError
        If the file is damaged, or an array in it is not of the shape or type that the k-space asks for.
    """
    with open_hdf5(path) as file:
        layout = _layout(file, path)
        reader = _Reader(
            layout=layout,
            mask=_mask(file, layout),
            noise=_noise(file, layout),
            maps=_name_of_maps(file, layout),
            reference=_name_of_reference(file, layout),
        )
        two_phase_encodes = "mask" in file and file["mask"].ndim == 2
        voxel_size = _voxel_size(file, layout)
    return Scan(
        name=path.name,
        layout="fastMRI HDF5",
        labels=tuple(label(index, ()) for index in range(layout.shape[0])),
        n_coils=layout.shape[1],
        matrix=layout.matrix,
        phase_encode_axes=(-2, -1) if two_phase_encodes else (-1,),
        voxel_size=voxel_size,
        fingerprint=fingerprint(path),
        read=reader.read,
        files=(path.absolute(),),
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the file lays out its k-space; ``shape`` is (slices, coils, rows, columns) as stored."""

    path: Path
    shape: tuple[int, int, int, int]
    single_coil: bool
    transposed: bool

    @property
    def matrix(self) -> tuple[int, int]:
        """(rows, columns) with the phase encode in the columns."""
        return (self.shape[3], self.shape[2]) if self.transposed else (self.shape[2], self.shape[3])

    def orient(self, array: NDArray[Any]) -> NDArray[Any]:
        """Put the phase encode of a stored array in its last axis."""
        return array.swapaxes(-2, -1) if self.transposed else array


@dataclass(frozen=True, slots=True)
class _Reader:
    layout: _Layout
    mask: Mask | None
    noise: Noise | None
    maps: str | None
    reference: str | None

    def read(self, index: int) -> Slice:
        """Read one slice, and nothing of the others."""
        where = f"slice {index} of '{self.layout.path}'"
        with open_hdf5(self.layout.path) as file:
            samples = self._stored(file, "kspace", index)
            maps = None if self.maps is None else self._stored(file, self.maps, index)
            reference = None if self.reference is None else self._stored(file, self.reference, index)
        if self.layout.single_coil:
            samples = samples[None]
        if self.mask is not None:
            samples = np.where(self.mask.numpy(), samples, 0)
        kspace = as_complex64(samples, where)
        return Slice(
            kspace=kspace,
            mask=measured_points(kspace) if self.mask is None else self.mask & measured_lines(kspace),
            noise=self.noise,
            coil_maps=None if maps is None else as_complex64(maps, f"'{self.maps}' of {where}"),
            reference=None if reference is None else _finite(reference, f"'{self.reference}' of {where}"),
        )

    def _stored(self, file: h5py.File, name: str, index: int) -> NDArray[Any]:
        return self.layout.orient(file[name][index])


def _finite(image: NDArray[Any], where: str) -> RealMap:
    real = torch.from_numpy(np.array(image, dtype=np.float64, order="C")).float()
    if not bool(torch.isfinite(real).all()):
        raise ValueError(f"{where} holds NaN or infinite values; remove it from the file or repair it")
    return real


def _layout(file: h5py.File, path: Path) -> _Layout:
    kspace = file["kspace"]
    if kspace.dtype.kind != "c":
        raise ValueError(f"'kspace' in '{path}' should be complex, but is {kspace.dtype}; store complex64")
    if kspace.ndim not in (3, 4) or 0 in kspace.shape:
        raise ValueError(
            f"'kspace' in '{path}' should be (slices, coils, rows, columns), or (slices, rows, columns) for one coil, "
            f"got shape {kspace.shape}"
        )
    single_coil = kspace.ndim == 3
    shape = (kspace.shape[0], 1, *kspace.shape[1:]) if single_coil else kspace.shape
    axis = _attribute(file, "phase_encode_axis", path)
    if axis not in (None, (2.0,), (3.0,)):
        raise ValueError(f"attribute 'phase_encode_axis' of '{path}' should be 2 (rows) or 3 (columns), got {axis}")
    return _Layout(path, shape, single_coil, transposed=axis == (2.0,))


def _attribute(member: h5py.Group | h5py.Dataset, name: str, path: Path) -> tuple[float, ...] | None:
    """Read positive numbers from an attribute; None if it is not there."""
    if name not in member.attrs:
        return None
    try:
        values = np.asarray(member.attrs[name], dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"attribute '{name}' of '{path}' should be a number, but is none: {error}") from None
    if values.size == 0 or not np.all(np.isfinite(values) & (values > 0)):
        raise ValueError(f"attribute '{name}' of '{path}' should be positive, got {values.tolist()}")
    return tuple(values.tolist())


def _array(file: h5py.File, name: str, shapes: list[tuple[int, ...]], layout: _Layout) -> h5py.Dataset | None:
    """Find an optional numeric array that has to be of one of the given shapes."""
    dataset = file.get(name)
    if dataset is None:
        return None
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "biufc" or dataset.shape not in shapes:
        expected = " or ".join(map(str, shapes))
        raise ValueError(
            f"'{name}' in '{layout.path}' should be a numeric array of shape {expected} to fit k-space of shape "
            f"{layout.shape}, got {_describe(dataset)}"
        )
    return dataset


def _describe(member: Any) -> str:
    return f"{member.dtype} of shape {member.shape}" if isinstance(member, h5py.Dataset) else "a group"


def _mask(file: h5py.File, layout: _Layout) -> Mask | None:
    """Read which samples were measured: one value for each phase encode, or one for each point."""
    dataset = _array(file, "mask", [layout.matrix[-1:], layout.shape[2:]], layout)
    if dataset is None:
        return None
    values = dataset[()]
    if not np.isfinite(values).all() or not values.any():
        raise ValueError(f"'mask' in '{layout.path}' should be non-zero where sampled and zero elsewhere, without NaN")
    sampled = values != 0 if values.ndim == 1 else layout.orient(values != 0)
    return torch.from_numpy(np.broadcast_to(sampled, layout.matrix).copy())


def _noise(file: h5py.File, layout: _Layout) -> Noise | None:
    n_coils = layout.shape[1]
    covariance = _array(file, "noise_covariance", [(n_coils, n_coils)], layout)
    if covariance is not None:
        values = torch.from_numpy(covariance[()].astype(np.complex128))
        counted = _attribute(covariance, "n_samples", layout.path)
        n_samples = None if counted is None else int(counted[0])
        return noise_from_covariance(values, f"noise_covariance of '{layout.path.name}'", n_samples)
    stored = file.get("noise")
    n_samples = stored.shape[-1] if isinstance(stored, h5py.Dataset) and stored.ndim == 2 else 4 * n_coils
    prescan = _array(file, "noise", [(n_coils, n_samples)], layout)
    if prescan is None:
        return None
    return noise_from_samples(torch.from_numpy(prescan[()].astype(np.complex128)), f"noise of '{layout.path.name}'")


def _name_of_maps(file: h5py.File, layout: _Layout) -> str | None:
    return next((name for name in _MAPS if _array(file, name, [layout.shape], layout) is not None), None)


def _name_of_reference(file: h5py.File, layout: _Layout) -> str | None:
    """Find a reference image on the k-space's own grid; fastMRI's are usually cropped, and then of no use here."""
    shape = (layout.shape[0], *layout.shape[2:])
    for name in _REFERENCES:
        dataset = file.get(name)
        if isinstance(dataset, h5py.Dataset) and dataset.shape == shape and dataset.dtype.kind in "fiu":
            return name
    return None


def _voxel_size(file: h5py.File, layout: _Layout) -> tuple[float, float, float] | None:
    """(slice, row, column) [mm] from our own attributes, or from the ISMRMRD header that fastMRI files carry."""
    sides, thickness = (_attribute(file, name, layout.path) for name in ("fov_mm", "slice_mm"))
    if sides and thickness:
        row, column = _field_of_view(sides, layout)
        return thickness[0], row / layout.matrix[0], column / layout.matrix[1]
    if isinstance(file.get("ismrmrd_header"), h5py.Dataset):
        from mri_noise.io.ismrmrd.header import read_header, voxel_size  # noqa: PLC0415

        with suppress(ValueError):  # the k-space is as good without its header
            size = voxel_size(read_header(file["ismrmrd_header"], layout.path), layout.matrix)
            return None if size is None else (size[2], size[0], size[1])
    return None


def _field_of_view(sides: tuple[float, ...], layout: _Layout) -> tuple[float, float]:
    """(rows, columns) [mm] from one side of a square, or from both sides in the order of the stored array."""
    if len(sides) > 2:
        raise ValueError(f"attribute 'fov_mm' of '{layout.path}' should be one or two lengths [mm], got {sides}")
    first, last = sides[0], sides[-1]
    return (last, first) if layout.transposed else (first, last)
