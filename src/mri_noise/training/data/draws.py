"""Examples drawn from acquisitions: a random orientation, field of view, mask and noise level."""

import math

import numpy as np
import torch
from pydantic import Field, field_validator

from mri_noise.arrays import Image, KSpace
from mri_noise.operators.cartesian import Sense
from mri_noise.settings import Settings
from mri_noise.training.data.random_masks import RandomMasks
from mri_noise.training.data.variation import (
    log_uniform,
    random_coils,
    random_phase,
    rough_phase,
    with_coils,
    with_phase,
)
from mri_noise.training.example import Acquisition, Example
from mri_noise.training.geometry import croppable_axes, cropped, has_gaps, mirrored, transposed

_BACKGROUND = 0.1
_ROUGHNESS = 2.5
"""Largest standard deviation of a rough phase [rad]."""


class Draws(Settings):
    """What differs between the examples of one acquisition.

    Phases are added, and coils are left out, where all of k-space was acquired.

    The target is the coil combination of all that was acquired. An acquisition with gaps in its k-space has none: its
    examples are unlabelled, and keep every sample that was acquired. One that lacks only edges of k-space, by partial
    Fourier or a cut-off corner, is drawn from like a fully sampled one, and its edges stay missing.
    """

    masks: RandomMasks = Field(RandomMasks(), description="How k-space is undersampled")
    noise_level: tuple[float, float] = Field(
        (0.002, 0.1), description="Range relative to bright tissue, drawn from log-uniformly; noise is only ever added"
    )
    target_noise: float = Field(
        0.0,
        ge=0,
        description="Noise up to this level stays in the target, as in that of a measured scan; what goes beyond it is "
        "in the input alone",
    )
    flips: bool = Field(True, description="Mirror rows and columns, and swap them, at random")
    phase: float = Field(
        0.0, ge=0, description="Largest standard deviation of a smooth phase that is added to the object [rad]"
    )
    fewer_coils: float = Field(0.0, ge=0, le=1, description="Share of examples that keep only some of the coils")
    rough_phase: float = Field(
        0.0, ge=0, le=1, description="Share of examples with a phase that varies within few pixels in parts, as fat's"
    )
    max_size: int | None = Field(
        None, ge=16, description="Larger images are cropped to this, around a point of the object; none: never"
    )

    @field_validator("noise_level")
    @classmethod
    def _rising(cls, limits: tuple[float, float]) -> tuple[float, float]:
        if not 0 < limits[0] <= limits[1]:
            raise ValueError(f"noise_level should be a range of positive numbers, got {limits[0]:g} to {limits[1]:g}")
        return limits

    def __call__(self, acquisition: Acquisition, seed: int, labelled: bool) -> Example:
        """Draw an example, a pure function of the arguments; without a target unless ``labelled``."""
        generator = np.random.default_rng([seed, 0])
        gaps = has_gaps(acquisition)
        acquisition = self._turned(self._cropped(acquisition, generator), generator, gaps)
        if bool(acquisition.mask.all()):
            acquisition = self._varied(acquisition, generator)
        shape = (acquisition.mask.shape[0], acquisition.mask.shape[1])
        mask = acquisition.mask
        if not gaps:
            mask = mask & self.masks(shape, acquisition.phase_encode_axes, generator)
        own, level = acquisition.noise_level, max(log_uniform(self.noise_level, generator), acquisition.noise_level)
        kept = min(level, max(self.target_noise, own))
        kspace = acquisition.kspace + math.sqrt(level**2 - kept**2) * _white(acquisition.kspace, generator)
        everything = Sense(acquisition.coil_maps, acquisition.mask)
        target = acquisition.kspace
        if kept > own:
            shared = math.sqrt(kept**2 - own**2) * _white(acquisition.kspace, generator)
            kspace, target = kspace + shared, target + shared
        return Example(
            kspace=kspace * mask,
            mask=mask.contiguous(),
            coil_maps=acquisition.coil_maps.contiguous(),
            target=everything.adjoint(target * acquisition.mask) if labelled and not gaps else None,
            noise_level=level,
            seed=int(generator.integers(2**63)),
        )

    def _turned(self, acquisition: Acquisition, generator: np.random.Generator, gaps: bool) -> Acquisition:
        choices = generator.integers(2, size=3).tolist()
        if not self.flips:
            return acquisition
        for axis in (-2, -1):
            acquisition = mirrored(acquisition, axis) if choices[axis] else acquisition
        lines = gaps and len(acquisition.phase_encode_axes) == 1
        return transposed(acquisition) if choices[0] and not lines else acquisition

    def _varied(self, acquisition: Acquisition, generator: np.random.Generator) -> Acquisition:
        """Leave out coils and add phases; nothing is drawn for what is not asked for."""
        n_coils, shape = len(acquisition.kspace), (acquisition.mask.shape[0], acquisition.mask.shape[1])
        if self.fewer_coils and generator.uniform() < self.fewer_coils and n_coils > 2:
            acquisition = with_coils(acquisition, random_coils(n_coils, generator))
        if self.phase:
            acquisition = with_phase(acquisition, random_phase(shape, self.phase, generator))
        if self.rough_phase and generator.uniform() < self.rough_phase:
            acquisition = with_phase(acquisition, rough_phase(_combined(acquisition), _ROUGHNESS, generator))
        return acquisition

    def _cropped(self, acquisition: Acquisition, generator: np.random.Generator) -> Acquisition:
        shape = (acquisition.mask.shape[0], acquisition.mask.shape[1])
        point = generator.uniform()
        if self.max_size is None or max(shape) <= self.max_size:
            return acquisition
        axes = croppable_axes(acquisition)
        size = tuple(min(n, self.max_size) if axis in axes else n for axis, n in zip((-2, -1), shape, strict=True))
        centre = _object_point(acquisition, point)
        starts = tuple(min(max(c - m // 2, 0), n - m) for c, m, n in zip(centre, size, shape, strict=True))
        return cropped(acquisition, (starts[0], starts[1]), (size[0], size[1]))


def _object_point(acquisition: Acquisition, share: float) -> tuple[int, int]:
    """Return one of the pixels that are not background, by its place among them."""
    image = _combined(acquisition)
    points = (image.abs() > _BACKGROUND).nonzero()
    if not len(points):
        return image.shape[0] // 2, image.shape[1] // 2
    row, column = points[int(share * len(points))].tolist()
    return row, column


def _combined(acquisition: Acquisition) -> Image:
    return Sense(acquisition.coil_maps, acquisition.mask).adjoint(acquisition.kspace)


def _white(like: KSpace, generator: np.random.Generator) -> KSpace:
    """White noise of level one."""
    own = torch.Generator().manual_seed(int(generator.integers(2**63)))
    return torch.randn(like.shape, generator=own, dtype=like.dtype)
