"""The receiver: loops around the head, what each of them sees, and the noise that they share."""

import math
from dataclasses import dataclass

import torch
from scipy.special import ellipe, ellipkm1
from torch import Tensor

from mri_noise.arrays import CoilCovariance

_HALF_AXES = (114.0, 132.0)
"""Half axes of the ellipse that the loops stand on, across and along the head [mm]."""
_HALF_HEIGHT = 45.0
_WIRE = 2.0
"""Radius of the conductor [mm], inside which the field stays that of its surface."""
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class CoilArray:
    """Circular loops that face the head.

    Attributes
    ----------
    centres, normals : shape (coils, 3) [mm] and unit vectors
    radius
        Radius of every loop [mm].
    gains : shape (coils,), complex
        Gain of each receiver chain, root mean square 1; signal and noise pass through it alike.
    """

    centres: Tensor
    normals: Tensor
    radius: float
    gains: Tensor


def head_array(n_coils: int, seed: int) -> CoilArray:
    """Place loops around the head, at golden angles and rising heights, with slightly overlapping areas."""
    number = torch.arange(n_coils, dtype=torch.float64)
    angle = number * _GOLDEN_ANGLE
    across, along = _HALF_AXES
    height = _HALF_HEIGHT * (2 * number + 1 - n_coils) / n_coils
    centres = torch.stack([across * torch.cos(angle), along * torch.sin(angle), height], -1)
    outwards = torch.stack([torch.cos(angle) / across, torch.sin(angle) / along, torch.zeros_like(angle)], -1)
    normals = outwards / torch.linalg.vector_norm(outwards, dim=1, keepdim=True)
    area = math.pi * (across + along) * 2 * _HALF_HEIGHT
    radius = min(70.0, 1.1 * math.sqrt(area / (math.pi * n_coils)))
    return CoilArray(centres, normals, radius, _gains(n_coils, seed))


def _gains(n_coils: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    decibels = 4 * torch.rand(n_coils, generator=generator, dtype=torch.float64) - 2
    phases = 2 * torch.pi * torch.rand(n_coils, generator=generator, dtype=torch.float64)
    amplitudes = 10 ** (decibels / 20)
    return torch.polar(amplitudes / amplitudes.square().mean().sqrt(), phases)


def coil_sensitivities(array: CoilArray, points: Tensor) -> Tensor:
    """Return what each loop receives from points of shape (..., 3) [mm], shape (coils, ...), complex.

    By reciprocity this is the transverse field Bx - i By of a unit current in the loop, here without the delay of
    waves in tissue (Roemer 1990, doi:10.1002/mrm.1910160203). The root sum of squares at the origin is 1.
    """
    origin = points.new_zeros(1, 3)
    unit = torch.linalg.vector_norm(_received(array, origin))
    return _received(array, points) / unit


def _received(array: CoilArray, points: Tensor) -> Tensor:
    fields = [
        gain * loop_field(points - centre, normal, array.radius)
        for gain, centre, normal in zip(array.gains, array.centres, array.normals, strict=True)
    ]
    return torch.stack(fields)


def loop_field(points: Tensor, normal: Tensor, radius: float) -> Tensor:
    """Return Bx - i By of a circular current around the origin, at points of shape (..., 3) [mm].

    Biot-Savart's law in closed form, in elliptic integrals, in units of mu_0 I / (2 pi) per mm
    (Simpson 2001, NASA technical report 20010038494).
    """
    height = points @ normal
    sideways = points - height[..., None] * normal
    distance = torch.linalg.vector_norm(sideways, dim=-1).clamp(min=1e-9 * radius)
    nearest = ((radius - distance).square() + height.square()).clamp(min=_WIRE**2)
    farthest = (radius + distance).square() + height.square()
    complement = nearest / farthest
    k = torch.as_tensor(ellipkm1(complement.numpy()))
    e = torch.as_tensor(ellipe(1 - complement.numpy()))
    size = distance.square() + height.square()
    axial = (k + (radius**2 - size) / nearest * e) / farthest.sqrt()
    radial = height / distance * ((radius**2 + size) / nearest * e - k) / farthest.sqrt()
    field = axial[..., None] * normal + (radial / distance)[..., None] * sideways
    return torch.complex(field[..., 0], -field[..., 1])


def noise_covariance(array: CoilArray, level: float, correlation: float) -> CoilCovariance:
    """Return Psi of the array: ``level`` squared on average on the diagonal, complex128.

    Loops share noise through the body, the less the farther apart they are: the correlation of the nearest pair is
    the one given, and falls off exponentially with distance, which keeps Psi positive definite.
    """
    distance = torch.linalg.vector_norm(array.centres[:, None] - array.centres, dim=-1)
    apart = distance[distance > 0]
    nearest = apart.min() if len(apart) else 1.0
    shared = correlation ** (distance / nearest)
    return level**2 * array.gains[:, None] * shared * array.gains.conj()
