"""One acquisition: what a file holds, read one slice at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mri_noise.arrays import CoilMaps, KSpace, Mask, RealMap
from mri_noise.noise import Noise, mix_coils, whitening_matrix


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
    """

    kspace: KSpace
    mask: Mask
    noise: Noise | None = None
    coil_maps: CoilMaps | None = None
    reference: RealMap | None = None


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
    maps = None if acquired.coil_maps is None else mix_coils(matrix, acquired.coil_maps)
    return replace(acquired, kspace=mix_coils(matrix, acquired.kspace), coil_maps=maps), white
