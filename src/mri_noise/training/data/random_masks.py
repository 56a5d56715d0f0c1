"""Random undersampling masks to train with."""

from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from mri_noise.acquisition.masks import Equispaced, PoissonDisc, Random2D, RandomLines
from mri_noise.arrays import Mask
from mri_noise.settings import Settings

MaskKind = Literal["equispaced", "random-lines", "poisson-disc", "random-2d"]
Shape: TypeAlias = tuple[int, int]
_LEAST_OF_DISCS = 1.7
"""Smallest acceleration that Poisson-disc masks reach on every matrix."""


class RandomMasks(Settings):
    """Masks of several kinds, of random acceleration, calibration region and pattern.

    Acceleration is all points over those sampled, calibration included, for every kind: the spacing of equispaced
    lines is larger. The calibration region takes no more than half of the samples, so that small matrices get a
    smaller one.
    """

    kinds: tuple[MaskKind, ...] = Field(
        ("equispaced", "random-lines", "poisson-disc", "random-2d"), min_length=1, description="Which kinds are drawn"
    )
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None, description="How often, one for each of kinds; none: all equally often"
    )
    acceleration: tuple[float, float] = Field((2.0, 8.0), description="Range, drawn from uniformly")
    n_calibration: tuple[int, int] = Field((8, 24), description="Range of calibration lines, or of the square's side")
    n_poisson_discs: int = Field(
        8, ge=1, description="Poisson-disc masks made of each shape; more are slower and more diverse"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "RandomMasks":
        low, high = self.acceleration
        least = _LEAST_OF_DISCS if "poisson-disc" in self.kinds else 1.0
        if not least <= low <= high:
            raise ValueError(
                f"acceleration should be a range from {least:g} or more for masks {', '.join(self.kinds)}, "
                f"got {low:g} to {high:g}"
            )
        if not 0 <= self.n_calibration[0] <= self.n_calibration[1]:
            raise ValueError(f"n_calibration should be a range from 0 or more, got {self.n_calibration}")
        if self.weights is not None and len(self.weights) != len(self.kinds):
            raise ValueError(f"weights should be one for each of {len(self.kinds)} kinds, got {len(self.weights)}")
        return self

    def __call__(self, shape: Shape, phase_encode_axes: tuple[int, ...], generator: np.random.Generator) -> Mask:
        """Draw a mask."""
        weights = np.array(self.weights or [1.0] * len(self.kinds))
        kind = self.kinds[generator.choice(len(self.kinds), p=weights / weights.sum())]
        if kind == "poisson-disc":  # takes longer to make than all the rest of an example
            return _poisson_disc(self, shape, int(generator.integers(self.n_poisson_discs))).clone()
        if kind == "random-2d":
            return self._random_2d(shape, generator)(shape, phase_encode_axes)
        n_lines = shape[phase_encode_axes[-1]]
        lines = self._equispaced if kind == "equispaced" else self._random_lines
        return lines(n_lines, generator)(shape, phase_encode_axes)

    def _equispaced(self, n_lines: int, generator: np.random.Generator) -> Equispaced:
        wanted = n_lines / self._acceleration(generator)
        n_calibration = self._n_calibration(int(wanted / 2), generator)
        spacing = (n_lines - n_calibration) / (wanted - n_calibration)
        return Equispaced(acceleration=spacing, n_calibration=n_calibration, offset=int(generator.integers(n_lines)))

    def _random_lines(self, n_lines: int, generator: np.random.Generator) -> RandomLines:
        acceleration = self._acceleration(generator)
        most = int(n_lines / acceleration / 2)
        return RandomLines(
            acceleration=acceleration, n_calibration=self._n_calibration(most, generator), seed=_seed(generator)
        )

    def _random_2d(self, shape: Shape, generator: np.random.Generator) -> Random2D:
        acceleration = self._acceleration(generator)
        side = self._n_calibration(_largest_side(shape, acceleration), generator)
        return Random2D(acceleration=acceleration, n_calibration=side, seed=_seed(generator))

    def _poisson_disc(self, shape: Shape, generator: np.random.Generator) -> PoissonDisc:
        acceleration = self._acceleration(generator)
        side = self._n_calibration(_largest_side(shape, acceleration), generator)
        return PoissonDisc(acceleration=acceleration, n_calibration=side, seed=_seed(generator))

    def _acceleration(self, generator: np.random.Generator) -> float:
        return float(generator.uniform(*self.acceleration))

    def _n_calibration(self, most: int, generator: np.random.Generator) -> int:
        low, high = (min(limit, most) for limit in self.n_calibration)
        return int(generator.integers(low, high + 1))


def _largest_side(shape: Shape, acceleration: float) -> int:
    """Side of a square with half of the samples."""
    return min(int((shape[0] * shape[1] / acceleration / 2) ** 0.5), *shape)


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**32))


@lru_cache(maxsize=4096)
def _poisson_disc(masks: RandomMasks, shape: Shape, number: int) -> Mask:
    """Make one of the numbered masks of a shape."""
    return masks._poisson_disc(shape, np.random.default_rng([*shape, number]))(shape, (-2, -1))
