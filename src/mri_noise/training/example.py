"""What a training is made of: acquisitions, and the examples that are drawn from them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from mri_noise.arrays import CoilMaps, Image, KSpace, Mask
from mri_noise.operators.cartesian import Sense
from mri_noise.seeds import generator_of

_BRIGHT = 0.99


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One slice that examples are drawn from, prewhitened and in units in which bright tissue is about one.

    Attributes
    ----------
    kspace : shape (coils, rows, columns), complex64; zero where not sampled
    mask : shape (rows, columns); True where sampled
    coil_maps : shape (coils, rows, columns), complex64
        Their sum of squares is one, or zero where there is no signal.
    noise_level
        Noise level of a sample of ``kspace``, the same in every coil and uncorrelated between coils.
    phase_encode_axes
        As :class:`mri_noise.acquisition.scan.Scan` has them.
    """

    kspace: KSpace
    mask: Mask
    coil_maps: CoilMaps
    noise_level: float
    phase_encode_axes: tuple[int, ...]


def brightness(image: Image) -> Tensor:
    """How bright an image is where it is bright: the 99th percentile of its magnitude, and never quite nothing."""
    return torch.quantile(image.abs(), _BRIGHT).clamp(min=torch.finfo(torch.float32).tiny)


@runtime_checkable
class AcquisitionSet(Protocol):
    """Acquisitions by number, each read or simulated when it is asked for."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who each acquisition is of; a split never puts a subject on both sides."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Acquisition: ...


@dataclass(frozen=True)
class Example:
    """One undersampled slice with noise, and the image that it should become, if that is known.

    Attributes
    ----------
    kspace : shape (coils, rows, columns), complex64; zero where not sampled
    mask : shape (rows, columns)
    coil_maps : shape (coils, rows, columns)
    target : shape (rows, columns), complex64
        Coil-combined image of all that was acquired; None for an unlabelled example.
    noise_level
        Noise level of a sample of ``kspace``, white.
    seed
        Seed of every random number that an objective draws for this example.
    """

    kspace: KSpace
    mask: Mask
    coil_maps: CoilMaps
    target: Image | None
    noise_level: float
    seed: int

    @cached_property
    def encoding(self) -> Sense:
        """A, from the image to ``kspace``."""
        return Sense(self.coil_maps, self.mask)

    def generator(self, stream: int) -> torch.Generator:
        """Return a CPU generator of its own for each use of the seed."""
        return generator_of(self.seed, stream)

    def to(self, device: torch.device) -> "Example":
        """Return the example on a device."""
        target = None if self.target is None else self.target.to(device)
        return replace(
            self,
            kspace=self.kspace.to(device),
            mask=self.mask.to(device),
            coil_maps=self.coil_maps.to(device),
            target=target,
        )
