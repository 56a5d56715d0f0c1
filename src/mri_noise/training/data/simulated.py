"""Acquisitions simulated from magnitude volumes of real anatomy."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mri_noise.settings import Settings
from mri_noise.training.data.cache import AcquisitionCache
from mri_noise.training.example import Acquisition
from mri_noise.training.simulation.acquisition import Calibrations, Protocol, Subject, acquire
from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.volumes import MagnitudeVolume, read_volume, volume_fingerprint, volume_path

_STEP = 8
"""Matrices are multiples of it."""
_N_PROTOCOLS = 30

Lines = Annotated[int, Field(ge=16, le=512, multiple_of=_STEP)]
Size = Annotated[float, Field(gt=0, le=20)]
Crop = Annotated[float, Field(ge=0.5, lt=1)]
Coils = Annotated[int, Field(ge=1, le=32)]


class Anatomy(Settings):
    """A volume to simulate from."""

    volume: str = Field("colin27", description="colin27, mni152, or the path of a NIfTI file")
    weight: float = Field(1.0, gt=0, description="How often it is chosen, relative to the others")

    def files(self) -> Iterator[Path]:
        """The volume's file."""
        yield volume_path(self.volume)


class Simulated(Settings):
    """Multi-coil scans of random heads: form, contrast, phase, coils, matrix and pixel size differ between subjects.

    They are fully sampled and next to free of noise; undersampling and noise are drawn for each example of a training.
    """

    kind: Literal["simulated"] = "simulated"
    volumes: tuple[Anatomy, ...] = Field(
        (Anatomy(volume="colin27", weight=0.9), Anatomy(volume="mni152", weight=0.1)),
        min_length=1,
        description="What is simulated from",
    )
    n_subjects: int = Field(200, ge=1, description="Random heads, each with its own scan")
    n_slices: int = Field(5, ge=1, description="Slices of each head, at random positions")
    rows: tuple[Lines, Lines] = Field((96, 160), description="Least and most rows; multiples of 8")
    columns: tuple[Lines, Lines] = Field((96, 160), description="Least and most columns; multiples of 8")
    pixel_size: tuple[Size, Size] = Field((0.9, 2.2), description="Smallest and largest pixel [mm]")
    n_coils: tuple[Coils, Coils] = Field((1, 14), description="Fewest and most coils; the middle is the most frequent")
    cropped: float = Field(0.2, ge=0, le=1, description="Share of heads whose field of view may be smaller than they")
    calibrated: float = Field(
        0.8, ge=0, le=1, description="Share of slices with maps by ESPIRiT; those of the others are exact"
    )
    smallest_centre: float = Field(
        0.0, ge=0, le=1, description="Share of these maps that come from 8 x 8 samples; those of the others from more"
    )
    crop: tuple[Crop, Crop] = Field(
        (0.9, 0.9),
        description="Range of the eigenvalue below which these maps are zero; higher ones cut off the edges of heads",
    )
    noise_level: float = Field(0.0, ge=0, description="Noise level of a k-space sample, where bright tissue is one")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of everything that is drawn")

    @model_validator(mode="after")
    def _in_order(self) -> "Simulated":
        for name in ("rows", "columns", "pixel_size", "n_coils", "crop"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(
                    f"setting '{name}': the first value should not exceed the second, got {low} and {high}"
                )
        return self

    def __call__(self, cache: AcquisitionCache) -> "SimulatedSet":
        """Return the acquisitions; each is simulated when it is first asked for.

        Raises
        ------
        ValueError
            If a volume is missing or cannot be read.
        """
        content = [self.model_dump_json(exclude={"n_subjects"}), *(volume_fingerprint(a.volume) for a in self.volumes)]
        key = hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]
        return SimulatedSet(self, tuple(read_volume(a.volume) for a in self.volumes), cache, key)


@dataclass(frozen=True)
class SimulatedSet:
    """Simulated acquisitions, one slice after the other and one subject after the other."""

    settings: Simulated
    volumes: tuple[MagnitudeVolume, ...]
    cache: AcquisitionCache
    key: str

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Who each acquisition is of, such as ``colin27-00012``."""
        numbers = range(self.settings.n_subjects)
        names = [f"{self._volume(Dice.of(self.settings.seed, n)).name}-{n:05d}" for n in numbers]
        return tuple(name for name in names for _ in range(self.settings.n_slices))

    def __len__(self) -> int:
        return self.settings.n_subjects * self.settings.n_slices

    def __getitem__(self, index: int) -> Acquisition:
        if not 0 <= index < len(self):
            raise IndexError(f"acquisition {index} is not among the {len(self)} simulated ones")
        return self.cache.get(f"simulated-{self.key}-{index:06d}", partial(self._simulate, index))

    def _simulate(self, index: int) -> Acquisition:
        number, position = divmod(index, self.settings.n_slices)
        dice = Dice.of(self.settings.seed, number)
        volume = self._volume(dice)
        subject = Subject.draw(volume, self._protocols(dice), self._n_coils(dice), dice)
        of_slice = Dice.of(self.settings.seed, number, 1 + position)
        return acquire(
            subject,
            Calibrations(self.settings.calibrated, self.settings.smallest_centre, self.settings.crop),
            self.settings.noise_level,
            of_slice,
        )

    def _volume(self, dice: Dice) -> MagnitudeVolume:
        return self.volumes[dice.index([anatomy.weight for anatomy in self.settings.volumes])]

    def _n_coils(self, dice: Dice) -> int:
        low, high = self.settings.n_coils
        return (dice.integer(low, high) + dice.integer(low, high) + dice.integer(0, 1)) // 2

    def _protocols(self, dice: Dice) -> Iterator[Protocol]:
        """Protocols to choose from: one, whether it holds the head or not, or several until one does."""
        n_tries = 1 if dice.chance(self.settings.cropped) else _N_PROTOCOLS
        return (self._protocol(dice) for _ in range(n_tries))

    def _protocol(self, dice: Dice) -> Protocol:
        smallest, largest = self.settings.pixel_size
        size = dice.log_uniform(smallest, largest)
        other = min(max(size * dice.log_uniform(0.85, 1 / 0.85), smallest), largest)
        return Protocol((_lines(self.settings.rows, dice), _lines(self.settings.columns, dice)), (size, other))


def _lines(least_and_most: tuple[int, int], dice: Dice) -> int:
    low, high = least_and_most
    return _STEP * dice.integer(low // _STEP, high // _STEP)
