"""Other acquisitions made from a fully sampled one: another phase of the object, some of its coils, maps that end."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from mri_noise.arrays import Mask, RealMap
from mri_noise.encoding import Sense, centered_fft, centered_ifft
from mri_noise.seeds import generator_of
from mri_noise.training.example import Acquisition, brightness

_NODES = (3, 5)
"""Fewest and most nodes along each side that a smooth field is interpolated between."""
_LARGEST_CUT = 0.3
"""Share of the field of view that maps are cut off from at most."""
_LEAST_SEEN = 0.2
"""Brightness of what maps have to leave."""


def with_phase(acquisition: Acquisition, phase: RealMap) -> Acquisition:
    """Add a phase, shape (rows, columns) [rad], to the object; noise stays white and keeps its level."""
    images = centered_ifft(acquisition.kspace) * torch.polar(torch.ones_like(phase), phase)
    return replace(acquisition, kspace=centered_fft(images))


def random_phase(shape: tuple[int, int], largest: float, generator: np.random.Generator) -> RealMap:
    """Draw a smooth phase [rad]: cubic between a few random nodes, with a standard deviation of up to ``largest``."""
    field = _smooth_field(shape, generator)
    return largest * float(generator.uniform()) * field


def _smooth_field(shape: tuple[int, int], generator: np.random.Generator) -> RealMap:
    """Cubic between a few random nodes, which are standard normal."""
    nodes = generator.integers(_NODES[0], _NODES[1], size=2, endpoint=True).tolist()
    values = torch.randn(nodes, generator=generator_of(int(generator.integers(2**63)), 0))
    return interpolate(values[None, None], shape, mode="bicubic", align_corners=True)[0, 0]


def with_coils(acquisition: Acquisition, chosen: Tensor) -> Acquisition:
    """Keep the coils of some indices; maps get a sum of squares of one again, and bright tissue is one again."""
    maps = acquisition.coil_maps[chosen]
    size = torch.linalg.vector_norm(maps, dim=0)
    normalised = torch.where(size > 0, maps / size, 0)
    kspace = acquisition.kspace[chosen]
    image = Sense(normalised, acquisition.mask).adjoint(kspace)
    bright = float(brightness(image))
    return replace(
        acquisition, kspace=kspace / bright, coil_maps=normalised, noise_level=acquisition.noise_level / bright
    )


def random_coils(n_coils: int, generator: np.random.Generator) -> Tensor:
    """Draw two coils or more, few more often than many: their indices in order."""
    n_kept = int(2 * (n_coils / 2) ** generator.uniform())
    return torch.from_numpy(np.sort(generator.permutation(n_coils)[:n_kept]))


def with_maps_in(acquisition: Acquisition, support: Mask) -> Acquisition:
    """Leave coil maps only in a region, shape (rows, columns); k-space stays that of the whole object.

    Maps stay where they are if too little of the object would be seen.
    """
    seen = Sense(acquisition.coil_maps, acquisition.mask).adjoint(acquisition.kspace) * support
    if float(brightness(seen)) < _LEAST_SEEN:
        return acquisition
    return replace(acquisition, coil_maps=acquisition.coil_maps * support)


def random_support(shape: tuple[int, int], generator: np.random.Generator) -> Mask:
    """Draw a region with smooth borders that lacks up to three tenths of the field of view."""
    field = _smooth_field(shape, generator)
    return field >= torch.quantile(field, _LARGEST_CUT * float(generator.uniform()))
