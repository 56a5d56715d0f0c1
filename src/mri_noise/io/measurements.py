"""Which of the measurements in a file is read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py

from mri_noise.acquisition.scan import Scan


class NoSuchMeasurement(ValueError):
    """A file holds no measurement of the name that was asked for."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Something in a file that images can be made of.

    Attributes
    ----------
    name
        What it is asked for by.
    content
        What it holds, in a few words.
    n_samples
        Samples of the image, over all coils.
    group, encoding
        Where it lies: member of the file, and number of the encoding in the header.
    problem
        Why it cannot be read; empty if it can, as far as its headers tell.
    """

    name: str
    content: str
    n_samples: int
    group: str
    encoding: int = 0
    problem: str = ""

    @property
    def description(self) -> str:
        """Name and content, such as ``dataset_2: 128 x 128, 24 slices``."""
        return f"{self.name}: {self.content}"


def acquisition_groups(file: h5py.File) -> list[str]:
    """Names of the groups that hold acquisitions, numbers in their order: ``dataset_2`` before ``dataset_10``."""
    return sorted((str(name) for name in file if _holds_acquisitions(file.get(name))), key=_with_numbers)


def _holds_acquisitions(member: object) -> bool:
    return isinstance(member, h5py.Group) and all(
        isinstance(member.get(name), h5py.Dataset) for name in ("xml", "data")
    )


def _with_numbers(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def choose(measurements: Sequence[Measurement], name: str | None, path: Path) -> Measurement:
    """Find a measurement by name, or else the one with most samples, the later of equals, that can be read.

    Raises
    ------
    NoSuchMeasurement
        If there is none of that name.
    ValueError
        If it cannot be read.
    """
    if name:
        found = [each for each in measurements if each.name == name]
        if not found:
            raise NoSuchMeasurement(f"'{path}' holds no measurement '{name}'; choose one of {_names(measurements)}")
        chosen = found[0]
    else:
        readable = [each for each in measurements if not each.problem] or measurements
        chosen = max(reversed(readable), key=lambda each: each.n_samples)
    if chosen.problem:
        raise ValueError(told_apart(chosen.problem, chosen, measurements))
    return chosen


def require_only(name: str | None, path: Path) -> None:
    """Refuse a name where a file can hold no more than one measurement."""
    if name:
        raise NoSuchMeasurement(
            f"'{path}' holds no measurement '{name}'; it is a single one without a name, so choose none"
        )


def told_apart(problem: str, chosen: Measurement, measurements: Sequence[Measurement]) -> str:
    """Say of which measurement a problem is, where there are several."""
    if len(measurements) == 1:
        return problem
    return f"{problem} (this is measurement '{chosen.name}' of {_names(measurements)})"


def stated(scan: Scan, chosen: Measurement, measurements: Sequence[Measurement]) -> Scan:
    """Return the scan with what it was chosen from."""
    return replace(
        scan,
        measurement=chosen.name,
        measurements=tuple(each.name for each in measurements),
        contents=tuple(each.description for each in measurements),
    )


def _names(measurements: Sequence[Measurement]) -> str:
    return ", ".join(each.name for each in measurements)
