"""Other acquisitions made from a fully sampled one: another phase of the object, some of its coils."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import interpolate

from mri_noise.arrays import Image, RealMap
from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.seeds import generator_of
from mri_noise.training.example import Acquisition, brightness

_NODES = (3, 5)
"""Fewest and most nodes along each side that a smooth field is interpolated between."""
_LEAST_SEEN = 0.05
"""Brightness of what some coils have to see."""
_OBJECT = 0.1
"""Brightness of what is not background."""
_GRAIN = (0.7, 20.0)
"""Standard deviation of the blur that a rough phase is smooth on [pixels]."""
_STEEP = 5.0
"""Blur from which on the phase is as steep at any, and its amplitude grows [pixels]."""
_RIM = (1.0, 12.0)
"""How far from the background the phase of a rim goes [pixels]."""
_SHARE_OF_RIMS = 0.6


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


def rough_phase(image: Image, largest: float, generator: np.random.Generator) -> RealMap:
    """Draw a phase [rad] that varies within few pixels: along the object's rim, or in any part of the image.

    Fat, air, vessels and maps of few calibration lines make such phases. A network that has seen smooth ones alone
    takes such signal for artefacts: it removed most of the scalp of a measured head.

    Parameters
    ----------
    image : shape (rows, columns)
        Image of the object, whose bright tissue is one.
    largest
        Standard deviation, up to which that of an offset and that of the grain are drawn, more for one of coarse grain,
        as beside air [rad].
    """
    noise = generator.standard_normal(tuple(image.shape))
    blur = log_uniform(_GRAIN, generator)
    grain = ndimage.gaussian_filter(noise, blur, mode="wrap")
    grain = max(1, blur / _STEEP) / max(float(grain.std()), float(np.finfo(np.float32).tiny)) * grain
    phase = largest * (generator.uniform() * generator.standard_normal() + generator.uniform() * grain)
    return torch.from_numpy(phase * _part(image, generator)).float()


def _part(image: Image, generator: np.random.Generator) -> NDArray[np.float64]:
    """Weights between zero and one: a rim of the object, or a side of a smooth curve."""
    is_rim, width = generator.uniform() < _SHARE_OF_RIMS, log_uniform(_RIM, generator)
    field = _smooth_field((image.shape[0], image.shape[1]), generator).numpy()
    if not is_rim:
        return np.clip(0.5 + 4 * field, 0, 1).astype(np.float64)
    bright = ndimage.gaussian_filter(image.abs().numpy(), 1.0) > _OBJECT
    depth = ndimage.distance_transform_edt(np.pad(ndimage.binary_fill_holes(bright), 1))[1:-1, 1:-1]
    return np.asarray(np.exp(-np.square(depth / width)))


def log_uniform(limits: tuple[float, float], generator: np.random.Generator) -> float:
    """Draw a number whose logarithm is uniform between those of the limits."""
    return float(limits[0] * (limits[1] / limits[0]) ** generator.uniform())


def with_coils(acquisition: Acquisition, chosen: Tensor) -> Acquisition:
    """Keep the coils of some indices; maps get a sum of squares of one again, and bright tissue is one again.

    All coils are kept if these see next to nothing.
    """
    maps = acquisition.coil_maps[chosen]
    size = torch.linalg.vector_norm(maps, dim=0)
    normalised = torch.where(size > 0, maps / size, 0)
    kspace = acquisition.kspace[chosen]
    image = Sense(normalised, acquisition.mask).adjoint(kspace)
    bright = float(brightness(image))
    if bright < _LEAST_SEEN:
        return acquisition
    return replace(
        acquisition, kspace=kspace / bright, coil_maps=normalised, noise_level=acquisition.noise_level / bright
    )


def random_coils(n_coils: int, generator: np.random.Generator) -> Tensor:
    """Draw two coils or more, few more often than many: their indices in order."""
    n_kept = int(2 * (n_coils / 2) ** generator.uniform())
    return torch.from_numpy(np.sort(generator.permutation(n_coils)[:n_kept]))
