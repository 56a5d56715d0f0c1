"""Coil arrays of many forms, as the reconstruction sees them: prewhitened, with a sum of squares of one."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from mri_noise.acquisition.coils import Espirit
from mri_noise.acquisition.noise import Noise, mix_coils, whitening_matrix
from mri_noise.arrays import CoilMaps, Image, KSpace, RealMap
from mri_noise.phantom.fields import RandomField
from mri_noise.phantom.receivers import CoilArray, coil_sensitivities, head_array, noise_covariance
from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.geometry import Plane

_SPACING = 9.0
"""Distance of the points at which the law of Biot and Savart is evaluated [mm]."""
_LARGEST_SHADING = 4.0
_CALIBRATION_SIDES = (8, 24)
_CALIBRATION_NOISE = (0.002, 0.05)
"""Noise level of a sample, where bright tissue is one."""
_OBJECT = 0.06
"""Share of the brightest tissue above which a blurred image shows the object."""


@dataclass(frozen=True, slots=True)
class Receivers:
    """An array and what its cables and the tissue do to its fields.

    Attributes
    ----------
    array
        Loops around the head.
    body
        How many of the first coils are nearly uniform, as a body coil is.
    reception : shape (coils,)
        Signal of each coil relative to its noise: small for one that is broken.
    delays
        Fields of the smooth phase of each coil, with their amplitude [rad].
    correlation
        Correlation of the noise of the two nearest loops.
    """

    array: CoilArray
    body: int
    reception: Tensor
    delays: tuple[tuple[float, RandomField], ...]
    correlation: float

    @classmethod
    def draw(cls, n_coils: int, dice: Dice) -> "Receivers":
        """Draw an array of loops, turned, tilted, pushed and of random size."""
        amplitude = dice.uniform(0.0, 1.0)
        delays = tuple((amplitude, dice.field(dice.uniform(200.0, 350.0))) for _ in range(n_coils))
        reception = torch.ones(n_coils, dtype=torch.float64)
        if n_coils > 2 and dice.chance(0.1):
            reception[dice.integer(0, n_coils - 1)] = 0.03
        body = min(n_coils - 1, dice.integer(1, 2)) if dice.chance(0.15) else 0
        return cls(_draw_array(n_coils, dice), body, reception, delays, dice.uniform(0.0, 0.5))

    def sensitivities(self, plane: Plane) -> Tensor:
        """Return what the prewhitened coils receive on a plane, shape (coils, rows, columns), complex64."""
        sampled = plane.smooth(lambda points: _planes(self._at(points)), _SPACING)
        received = torch.complex(sampled[0], sampled[1])
        covariance = noise_covariance(self.array, 1.0, self.correlation)
        whitening, _ = whitening_matrix(Noise(covariance, "simulated array"))
        return mix_coils(whitening, received)

    def _at(self, points: Tensor) -> Tensor:
        received = coil_sensitivities(self.array, points)
        if self.body:
            received[: self.body] = self.array.gains[: self.body, None, None]
        delay = torch.stack([amplitude * field(points) for amplitude, field in self.delays])
        return received * torch.polar(self.reception[:, None, None].expand_as(delay), delay)


def _planes(values: Tensor) -> Tensor:
    return torch.stack([values.real, values.imag])


def _draw_array(n_coils: int, dice: Dice) -> CoilArray:
    array = head_array(n_coils, dice.integer(0, 2**30))
    rotation = _rotation(dice.uniform(0.0, 2.0 * math.pi)) @ _tilt(dice)
    widening = dice.uniform(0.9, 1.25)
    centres = (widening * array.centres + 6 * dice.normals(n_coils, 3)) @ rotation.T
    normals = array.normals @ rotation.T + 0.12 * dice.normals(n_coils, 3)
    normals = normals / torch.linalg.vector_norm(normals, dim=1, keepdim=True)
    return replace(array, centres=centres, normals=normals, radius=array.radius * dice.uniform(0.7, 1.2))


def _rotation(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def _tilt(dice: Dice) -> Tensor:
    """A small rotation about any axis."""
    x, y, z = (0.12 * dice.normals(3)).tolist()
    return torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64))


def normalised(received: CoilMaps) -> CoilMaps:
    """Return maps whose sum of squares is one."""
    return received / torch.linalg.vector_norm(received, dim=0).clamp(min=torch.finfo(torch.float32).tiny)


def shading(received: CoilMaps, object_: RealMap, power: float) -> RealMap:
    """Return what the array does to the brightness: its root sum of squares to a power, one in the object's middle.

    Power one is that of a plain reconstruction, and zero that of a scanner that corrects for it.
    """
    total = torch.linalg.vector_norm(received, dim=0)
    inside = total[object_ > 0]
    typical = inside.median() if len(inside) else total.median()
    return (total / typical).clamp(max=_LARGEST_SHADING).pow(power)


def support(image: Image, growth: int) -> RealMap:
    """Return where there is an object, one or zero: where the blurred image is bright, and ``growth`` pixels around."""
    blurred = avg_pool2d(image.abs()[None, None], 5, stride=1, padding=2)
    bright = (blurred > _OBJECT * torch.quantile(image.abs(), 0.98)).float()
    return max_pool2d(bright, 2 * growth + 1, stride=1, padding=growth)[0, 0]


def calibrated(kspace: KSpace, smallest_share: float, crops: tuple[float, float], dice: Dice) -> CoilMaps:
    """Return the maps that ESPIRiT finds in the centre of k-space, of random size and with random noise.

    Those of a scan are found from as little, and from the smallest centre where the acceleration is high. Networks that
    have seen only exact maps take what wrong ones leave unexplained for signal. The eigenvalue below which there are no
    maps is drawn such that its distance from one is log-uniform: a high one cuts off the edges of the head.
    """
    smallest, largest = _CALIBRATION_SIDES
    side = smallest if dice.chance(smallest_share) else dice.integer(smallest, largest)
    side = min(side, *kspace.shape[-2:])
    noise = torch.randn(kspace.shape, generator=dice.generator, dtype=kspace.dtype)
    noisy = kspace + dice.log_uniform(*_CALIBRATION_NOISE) * noise
    crop = 1 - dice.log_uniform(1 - crops[1], 1 - crops[0])
    return Espirit(n_calibration=side, crop=crop)(noisy, torch.ones(kspace.shape[-2:], dtype=torch.bool), None)
