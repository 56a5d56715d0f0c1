"""Measured scans as acquisitions to train on."""

import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator

from mri_noise.acquisition.coils import CoilMapping, Espirit
from mri_noise.acquisition.noise_sources import MeasuredNoise, NoiseSource
from mri_noise.acquisition.scan import Scan, prewhitened, shown_centre
from mri_noise.io.bart import bart_pair
from mri_noise.io.formats import open_scan
from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import central
from mri_noise.roi import ObjectThreshold
from mri_noise.settings import Settings
from mri_noise.training.data.cache import AcquisitionCache
from mri_noise.training.example import Acquisition, AcquisitionSet

_SUFFIXES = (".h5", ".hdf5", ".mrd", ".cfl")
_BRIGHT = 0.99
_log = logging.getLogger(__name__)


class UnusableScan(ValueError):
    """A file, or a slice of one, that cannot be trained on; the message is one sentence that names it."""


class Scans(Settings):
    """Multi-coil scans in files: fastMRI HDF5, ISMRMRD HDF5 (mridata.org too) and BART."""

    kind: Literal["scans"] = "scans"
    paths: tuple[Path, ...] = Field((), description="Files, and folders that are searched for .h5, .hdf5, .mrd, .cfl")
    slices: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Share of the slices of each file that is used, around its middle"
    )
    subject: str | None = Field(
        None,
        description="Regular expression whose group finds the subject in a file's path; none: each file is a subject",
    )
    noise: NoiseSource = Field(MeasuredNoise(), description="Where the coil noise covariance comes from")
    coils: CoilMapping = Field(Espirit(), description="Where the coil sensitivity maps come from")

    @field_validator("subject")
    @classmethod
    def _one_group(cls, pattern: str | None) -> str | None:
        try:
            n_groups = 1 if pattern is None else re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"subject should be a regular expression, but '{pattern}' is none: {error}") from None
        if n_groups != 1:
            raise ValueError(f"subject should have one group in parentheses, but '{pattern}' has {n_groups}")
        return pattern

    def __call__(self, cache: AcquisitionCache, strict: bool = False) -> AcquisitionSet:
        """Find the scans; their slices are read when they are asked for.

        Parameters
        ----------
        strict
            Whether a file that cannot be used is an error, not a warning.

        Raises
        ------
        ValueError
            If a path does not exist, if there are no scans, or if ``strict`` and a file cannot be used.
        """
        sources: list[_Source] = []
        for path in self._scans():
            try:
                sources += self._sources(path)
            except ValueError as error:
                if strict:
                    raise
                _log.warning("skipped a file: %s", error)
        if not sources:
            raise ValueError(f"there are no usable scans in {self._named_paths()}; name files or folders with scans")
        return _Slices(self, cache, tuple(sources))

    def files(self) -> Iterator[Path]:
        """Every scan, those in folders included, and what the other settings name."""
        for path in self._scans():
            pair = bart_pair(path)
            yield from (path, pair.samples, pair.header)
        yield from self.noise.files()
        yield from self.coils.files()

    def _scans(self) -> Iterator[Path]:
        for path in self.paths:
            if not path.is_dir():
                yield path
                continue
            found = (inner for inner in path.rglob("*") if inner.suffix in _SUFFIXES and inner.name[0] != ".")
            yield from sorted(found)

    def _named_paths(self) -> str:
        return ", ".join(f"'{path}'" for path in self.paths) or "'source.paths', which is empty"

    def _sources(self, path: Path) -> "list[_Source]":
        scan, subject = open_scan(path), self._subject(path)
        chosen = range(len(scan))[central(len(scan), math.ceil(self.slices * len(scan)))]
        return [_Source(path, index, subject, scan.fingerprint) for index in chosen]

    def _subject(self, path: Path) -> str:
        if self.subject is None:
            return path.name
        match = re.search(self.subject, path.as_posix())
        if match is None or not match[1]:
            raise ValueError(f"the subject of '{path}' is unknown because '{self.subject}' does not match its path")
        return match[1]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one acquisition comes from."""

    path: Path
    index: int
    subject: str
    fingerprint: str


@dataclass(frozen=True)
class _Slices:
    """The slices of all scans, one acquisition each."""

    settings: Scans
    cache: AcquisitionCache
    sources: tuple[_Source, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(source.subject for source in self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Acquisition:
        source = self.sources[index]
        choices = self.settings.model_dump_json(include={"noise", "coils"})
        return self.cache.get(f"{source.fingerprint}\n{source.index}\n{choices}", lambda: self._read(source))

    def _read(self, source: _Source) -> Acquisition:
        try:
            return _acquisition(_open_again(source.path), source.index, self.settings)
        except ValueError as error:
            raise UnusableScan(f"slice {source.index} of '{source.path}' cannot be used: {error}") from None


@lru_cache(maxsize=1)
def _open_again(path: Path) -> Scan:
    """Open a scan; only the latest stays open, since a 3-D scan occupies temporary disk space."""
    return open_scan(path)


def _acquisition(scan: Scan, index: int, settings: Scans) -> Acquisition:
    """Read one slice, prewhiten it, find its coil maps and scale it."""
    acquired = scan[index]
    data, noise = prewhitened(acquired, settings.noise(acquired.kspace, acquired.mask, acquired.noise))
    maps = settings.coils(*shown_centre(data, data.kspace, data.mask), data.coil_maps)
    scale = _brightness(Sense(maps, data.mask).adjoint(data.kspace), maps)
    return Acquisition(
        kspace=data.kspace / scale,
        mask=data.mask,
        coil_maps=maps,
        noise_level=noise.level / scale,
        phase_encode_axes=scan.phase_encode_axes,
    )


def _brightness(image: torch.Tensor, maps: torch.Tensor) -> float:
    """The 99th percentile of the magnitude within the object."""
    inside = image.abs()[ObjectThreshold()(image, maps)]
    return float(torch.quantile(inside.double(), _BRIGHT))
