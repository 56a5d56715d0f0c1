"""What a tissue looks like: contrast, texture, lesions and shading."""

import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.geometry import Plane

_LEVELS = (0.0, 0.1, 0.3, 0.75, 1.03, 1.3, 1.8, 3.0)
"""Values of a T1-weighted volume: air, bone, fluid, grey matter, white matter, and three of fat."""
_N_ENTRIES = 1024

Range = tuple[float, float]
Family = tuple[Range, Range, Range, Range, Range]
"""Signals of bone, fluid, grey matter, white matter and fat."""

_T1: Family = ((0.02, 0.15), (0.1, 0.4), (0.45, 0.8), (0.85, 1.0), (0.7, 2.0))
_T2: Family = ((0.02, 0.12), (0.9, 1.5), (0.6, 0.85), (0.35, 0.6), (0.3, 1.3))
_PD: Family = ((0.03, 0.2), (0.4, 1.1), (0.8, 1.0), (0.6, 0.9), (0.4, 1.4))
_FLAIR: Family = ((0.02, 0.12), (0.05, 0.2), (0.8, 1.0), (0.6, 0.8), (0.3, 1.3))
_FAMILIES = (_T1, _T2, _PD, _FLAIR)
_SHARES = (0.4, 0.2, 0.25, 0.15)


def draw_contrast(dice: Dice) -> Tensor:
    """Draw the signal for each value of a volume: a table over [0, 3], shape (entries,).

    The signals of the tissues are drawn within one kind of weighting, or between two, and joined by a monotone
    cubic (Fritsch 1980, doi:10.1137/0717021), so that mixtures of two tissues lie between them.
    """
    first, second = (_FAMILIES[dice.index(_SHARES)] for _ in range(2))
    share = dice.uniform(0.0, 0.5) if dice.chance(0.5) else 0.0
    pairs = zip(first, second, strict=True)
    bone, fluid, grey, white, fat = ((1 - share) * dice.uniform(*a) + share * dice.uniform(*b) for a, b in pairs)
    signals = (0.0, bone, fluid, grey, white, (white + fat) / 2, fat, fat * dice.uniform(1.0, 1.5))
    values = torch.linspace(0, _LEVELS[-1], _N_ENTRIES, dtype=torch.float64)
    return torch.from_numpy(PchipInterpolator(_LEVELS, signals)(values.numpy())).float()


def in_contrast(values: Tensor, table: Tensor) -> Tensor:
    """Look values up in a table of :func:`draw_contrast`, linearly between its entries."""
    position = values.clamp(0, _LEVELS[-1] * (1 - 1e-6)) * ((len(table) - 1) / _LEVELS[-1])
    entry = position.long()
    return torch.lerp(table[entry], table[(entry + 1).clamp(max=len(table) - 1)], position - entry)


def sharpened(values: Tensor, plane: Plane, finer: int, strength: float) -> Tensor:
    """Restore the detail that volumes lose by averaging and interpolation.

    Frequencies around half a cycle per mm, the finest that a voxel of 1 mm can hold, are multiplied by about
    1 + strength, lower ones by less.
    """
    radius = 2 * _frequencies(plane, finer)
    gain = 1 + strength * radius.square() * torch.exp(-(radius / 1.2).pow(4))
    return torch.fft.irfft2(torch.fft.rfft2(values) * gain[:, : values.shape[1] // 2 + 1], s=values.shape).clamp(min=0)


def texture(plane: Plane, finer: int, amplitude: float, scale: float, dice: Dice) -> Tensor:
    """Return complex factors around one, shape (finer * rows, finer * columns), complex64.

    Their deviation has a standard deviation of ``amplitude``, and structure of about ``scale`` [mm] and coarser.
    """
    shape = (finer * plane.matrix[0], finer * plane.matrix[1])
    radius = scale * _frequencies(plane, finer)
    spectrum = radius / (1 + radius.square()).pow(1.25)
    spectrum = spectrum * (amplitude * shape[0] * shape[1] / torch.linalg.vector_norm(spectrum))
    white = torch.randn(shape, generator=dice.generator, dtype=torch.complex64)
    return 1 + torch.fft.ifft2(white * spectrum)


def lesions(plane: Plane, finer: int, dice: Dice) -> Tensor:
    """Return factors that some blobs of 2 to 16 mm make different from one, shape as :func:`texture`."""
    shape = (finer * plane.matrix[0], finer * plane.matrix[1])
    y, x = ((torch.arange(n) - n // 2) * (size / finer) for n, size in zip(shape, plane.pixel, strict=True))
    factors = torch.ones(shape)
    for _ in range(dice.index((0.4, 0.2, 0.15, 0.1, 0.1, 0.05))):
        row, column, radius = dice.normal(35.0), dice.normal(35.0), dice.log_uniform(1.0, 8.0)
        stretch, slope, factor = dice.uniform(0.7, 1.4), dice.normal(0.4), dice.uniform(0.4, 1.6)
        distance = torch.hypot((y[:, None] - row) * stretch, x - column - slope * (y[:, None] - row))
        factors = factors * (1 + (factor - 1) * torch.sigmoid((radius - distance) / 0.4))
    return factors


def _frequencies(plane: Plane, finer: int) -> Tensor:
    """Spatial frequency of each coefficient of a Fourier transform that is not centred [cycles/mm]."""
    rows, columns = (
        torch.fft.fftfreq(finer * n, size / finer) for n, size in zip(plane.matrix, plane.pixel, strict=True)
    )
    return torch.hypot(rows[:, None], columns)
