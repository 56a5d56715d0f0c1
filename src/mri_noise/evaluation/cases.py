"""The cases of an evaluation: slices, and the masks that they are undersampled with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mri_noise.acquisition.masks import Undersampling
from mri_noise.acquisition.scan import Scan
from mri_noise.choices import load


@dataclass(frozen=True, slots=True)
class Case:
    """One slice under one mask.

    Attributes
    ----------
    acceleration
        As asked for: all points of k-space over those sampled, calibration included.
    """

    scan: Scan
    index: int
    kind: str
    acceleration: float

    @property
    def label(self) -> str:
        """The case in words."""
        return f"{self.scan.name}, {self.scan.labels[self.index]}, {self.kind}, R = {self.acceleration:g}"

    def undersampling(self) -> Undersampling:
        """Choose the mask.

        Raises
        ------
        ValueError
            If the matrix is too small for the acceleration with a calibration that coil maps can be found in.
        """
        return undersampling_of(self.kind, self.acceleration, self.scan.matrix, self.scan.phase_encode_axes)


def cases(scans: Sequence[Scan], kinds: Sequence[str], rates: Sequence[float]) -> Iterator[Case]:
    """Every slice with every mask at every acceleration; what was acquired is one case, whatever the accelerations."""
    for scan in scans:
        for index in range(len(scan)):
            for kind in kinds:
                yield from (Case(scan, index, kind, rate) for rate in ([1.0] if kind == "as-acquired" else rates))


def undersampling_of(
    kind: str, acceleration: float, matrix: tuple[int, int], phase_encode_axes: tuple[int, ...]
) -> Undersampling:
    """Choose a mask of a kind whose net acceleration, calibration included, is the one asked for.

    Raises
    ------
    ValueError
        If the matrix is too small for the acceleration.
    """
    found: type[Undersampling] = load("undersampling", kind)
    return found.of_net_acceleration(acceleration, matrix, phase_encode_axes)
