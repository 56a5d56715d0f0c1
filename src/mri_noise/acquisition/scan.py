"""One acquisition: what a file holds, read one slice at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mri_noise.acquisition.noise import Noise, mix_coils, whitening_matrix
from mri_noise.arrays import CalibrationKSpace, CoilMaps, KSpace, Mask, RealMap
from mri_noise.operators.fourier import central_block


@dataclass(frozen=True, slots=True)
class Slice:
    """The k-space of one slice and what its file says of it.

    Attributes
    ----------
    kspace : shape (coils, rows, columns), complex64, in the file's units; zero where not sampled
    mask : shape (rows, columns); True where sampled
    noise : of these samples, where the file has a noise prescan
    coil_maps : shape (coils, rows, columns), where the file has them
    reference : shape (rows, columns), magnitude image of the file, where it has one
    remarks
        What was taken otherwise than the file says, a sentence each without its full stop.
    calibration : shape (coils, rows, columns), of its own size
        The fully sampled centre of k-space, with its centre at index n // 2, where the file shows more of it than
        ``kspace`` does: a separate reference, or other repetitions. Of the same coils and field of view; its noise and
        its contrast may differ.
    """

    kspace: KSpace
    mask: Mask
    noise: Noise | None = None
    coil_maps: CoilMaps | None = None
    reference: RealMap | None = None
    remarks: tuple[str, ...] = ()
    calibration: CalibrationKSpace | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """A multi-coil Cartesian acquisition; ``scan[i]`` reads its slice i.

    Attributes
    ----------
    name
        The file's name, or that of a simulation.
    layout
        The file format, such as ``fastMRI HDF5``.
    labels
        One for each slice, such as ``slice 3`` or ``slice 3, repetition 2``.
    n_coils, matrix
        Number of coils, and (rows, columns) of k-space.
    phase_encode_axes
        ``(-1,)`` for a 2-D acquisition, ``(-2, -1)`` for a slice of a 3-D one.
    voxel_size
        (slice, row, column) [mm]; None where the file does not say.
    fingerprint
        Hash of the source, for provenance.
    read
        Reads one slice. Raises ValueError for unusable data, in one sentence.
    measurement
        Name of what was read of the file; empty where a file of the format holds no more than one scan.
    measurements, contents
        Names of all that could have been read, and for each a line such as ``dataset_2: 128 x 128, 24 slices``.
    files
        Where it reads from; none for a simulation.
    """

    name: str
    layout: str
    labels: tuple[str, ...]
    n_coils: int
    matrix: tuple[int, int]
    phase_encode_axes: tuple[int, ...]
    voxel_size: tuple[float, float, float] | None
    fingerprint: str
    read: Callable[[int], Slice]
    measurement: str = ""
    measurements: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()

    @property
    def choice(self) -> str:
        """The measurement, and what it was chosen from if there are several."""
        if len(self.measurements) < 2:
            return self.measurement
        return f"{self.measurement} (of {', '.join(self.measurements)})"

    files: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Slice:
        if not 0 <= index < len(self):
            raise IndexError(f"slice {index} is not in '{self.name}', which has slices 0 to {len(self) - 1}")
        return self.read(index)


def prewhitened(acquired: Slice, noise: Noise) -> tuple[Slice, Noise]:
    """Return a slice in a coil basis in which its noise is white, and that noise."""
    matrix, white = whitening_matrix(noise)
    maps, calibration = (
        None if each is None else mix_coils(matrix, each) for each in (acquired.coil_maps, acquired.calibration)
    )
    mixed = mix_coils(matrix, acquired.kspace)
    return replace(acquired, kspace=mixed, coil_maps=maps, calibration=calibration), white


def shown_centre(acquired: Slice, kspace: KSpace, mask: Mask) -> tuple[KSpace, Mask]:
    """Return the k-space, and its mask, that coil maps are calibrated on: the ``calibration`` of a slice if it has one.

    ``kspace`` and ``mask`` are what is left of the slice's own.
    """
    if acquired.calibration is None:
        return kspace, mask
    height, width = (min(n, shown) for n, shown in zip(mask.shape, acquired.calibration.shape[1:], strict=True))
    centre, sampled = torch.zeros_like(kspace), torch.zeros_like(mask)
    central_block(centre, (height, width)).copy_(central_block(acquired.calibration, (height, width)))
    central_block(sampled, (height, width)).fill_(True)
    return centre, sampled
