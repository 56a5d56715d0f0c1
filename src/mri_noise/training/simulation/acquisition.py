"""From a volume to the k-space of a slice of a subject."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft, centered_ifft, central
from mri_noise.phantom.fields import RandomField
from mri_noise.training.example import Acquisition, brightness
from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.geometry import Plane, Shape, draw_axes, fade, reach, sample_volume
from mri_noise.training.simulation.phase import ObjectPhase
from mri_noise.training.simulation.receivers import Receivers, calibrated, normalised, shading, support
from mri_noise.training.simulation.tissue import draw_contrast, in_contrast, lesions, sharpened, texture
from mri_noise.training.simulation.volumes import MagnitudeVolume

_FILL = 0.95
"""Share of a head's length that a field of view has to hold."""
_FINER = 2
"""Points of the object per voxel and axis; k-space is cut out of theirs, so that edges ring as measured ones do."""
_LEAST_TISSUE = 0.45
_TISSUE = 0.2
_BULK = 0.78
"""Share of a head's length that slices are put into."""
_N_POSITIONS, _COARSE = 20, 24
_BAND = 4
"""Pixels over which an object that is larger than the field of view fades at its edges."""
_LEAST_FOUND = 0.2


@dataclass(frozen=True, slots=True)
class Protocol:
    """Matrix and pixel size [mm] of a scan, along rows and columns."""

    matrix: tuple[int, int]
    pixel: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Subject:
    """All that the slices of one subject share.

    Attributes
    ----------
    shape, contrast, phase, receivers
        Settings of the head, its tissues and the scanner.
    plane
        The slice through the middle of the head, off-centre in its plane.
    bias
        A smooth field that brightness follows, with its amplitude.
    shading
        Power of :func:`shading`.
    roughness
        Amplitude and scale [mm] of :func:`texture`.
    sharpness
        Strength of :func:`sharpened`.
    resolution
        What the scanner's filter leaves at the edges of k-space.
    """

    volume: MagnitudeVolume
    shape: Shape
    plane: Plane
    contrast: Tensor
    phase: ObjectPhase
    receivers: Receivers
    bias: tuple[float, RandomField]
    shading: float
    roughness: tuple[float, float]
    sharpness: float
    resolution: float

    @classmethod
    def draw(cls, volume: MagnitudeVolume, protocols: Iterable[Protocol], n_coils: int, dice: Dice) -> "Subject":
        """Draw a subject: its head, its place in the scanner, its contrast and its receivers.

        The scan is made by the first of the protocols whose field of view holds the head, or else by the last.
        """
        shape, axes = Shape.draw(dice), draw_axes(dice)
        needed = [_FILL * 2 * reach(volume, shape, axis) for axis in axes[:2]]
        protocol = _first_that_holds(needed, protocols)
        thickness = dice.uniform(1.0, 5.0) if dice.chance(0.5) else 1.0
        off_centre = dice.normal(6.0) * axes[0] + dice.normal(6.0) * axes[1]
        return cls(
            volume=volume,
            shape=shape,
            plane=Plane(protocol.matrix, protocol.pixel, off_centre, axes, thickness),
            contrast=draw_contrast(dice),
            phase=ObjectPhase.draw(dice),
            receivers=Receivers.draw(n_coils, dice),
            bias=(dice.uniform(0.0, 0.2), dice.field(dice.uniform(150.0, 300.0))),
            shading=dice.uniform(0.3, 1.0) if dice.chance(0.7) else 0.0,
            roughness=(dice.log_uniform(0.005, 0.06), dice.uniform(0.5, 3.0)),
            sharpness=dice.uniform(1.0, 6.0),
            resolution=dice.uniform(0.3, 1.0) if dice.chance(0.2) else 1.0,
        )


def _first_that_holds(needed: list[float], protocols: Iterable[Protocol]) -> Protocol:
    for protocol in protocols:
        if all(n * size >= least for n, size, least in zip(protocol.matrix, protocol.pixel, needed, strict=True)):
            break
    return protocol


@dataclass(frozen=True, slots=True)
class Calibrations:
    """Where coil maps come from.

    Attributes
    ----------
    share
        Probability of calibrated maps; others are known exactly and everywhere.
    smallest_share
        Share of those that are calibrated on the smallest centre.
    crops
        Range of the eigenvalue below which there are none.
    """

    share: float
    smallest_share: float
    crops: tuple[float, float]


def acquire(subject: Subject, calibrations: Calibrations, noise_level: float, dice: Dice) -> Acquisition:
    """Simulate a slice of a subject at a random position, fully sampled."""
    plane = _find_tissue(subject, dice)
    image = _image(subject, plane, dice)
    received = subject.receivers.sensitivities(plane)
    shaded = image * shading(received, support(image, growth=dice.integer(0, 8)), subject.shading)
    maps = normalised(received)
    kspace = centered_fft(maps * (shaded / brightness(shaded)))
    mask = torch.ones(plane.matrix, dtype=torch.bool)
    known = maps
    if dice.chance(calibrations.share):
        known = calibrated(kspace, calibrations.smallest_share, calibrations.crops, dice)
    scale = brightness(Sense(known, mask).adjoint(kspace))
    if scale < _LEAST_FOUND:  # no calibration would be used that misses the object
        known = maps
        scale = brightness(Sense(known, mask).adjoint(kspace))
    noise = noise_level * torch.randn(kspace.shape, generator=dice.generator, dtype=kspace.dtype)
    return Acquisition(
        kspace=kspace / scale + noise,
        mask=mask,
        coil_maps=known,
        noise_level=noise_level,
        phase_encode_axes=(-2, -1),
    )


def _find_tissue(subject: Subject, dice: Dice) -> Plane:
    """The first of some random positions at which there is enough tissue, or else the fullest."""
    normal = subject.plane.axes[2]
    half = _BULK * reach(subject.volume, subject.shape, normal)
    best, fullest = subject.plane, -1.0
    for _ in range(_N_POSITIONS):
        plane = replace(subject.plane, centre=subject.plane.centre + dice.uniform(-half, half) * normal)
        filled = _filled(subject, plane)
        if filled > fullest:
            best, fullest = plane, filled
        if filled > _LEAST_TISSUE:
            break
    return best


def _filled(subject: Subject, plane: Plane) -> float:
    """The share of the field of view that holds tissue, or its area in units of 200 cm2 if that is more."""
    rows, columns = (n * size for n, size in zip(plane.matrix, plane.pixel, strict=True))
    coarse = replace(plane, matrix=(_COARSE, _COARSE), pixel=(rows / _COARSE, columns / _COARSE))
    share = float((sample_volume(subject.volume, coarse, subject.shape, 1, 1) > _TISSUE).float().mean())
    return share * max(1, rows * columns / 20000)


def _image(subject: Subject, plane: Plane, dice: Dice) -> Image:
    """The complex image without the receivers' shading, shape (rows, columns)."""
    n_sheets = max(1, round(plane.thickness / 1.5))
    values = sample_volume(subject.volume, plane, subject.shape, _FINER, n_sheets)
    values = sharpened(values, plane, _FINER, subject.sharpness)
    magnitude = in_contrast(values, subject.contrast) * lesions(plane, _FINER, dice) * _band(plane)
    magnitude = magnitude * fade(subject.volume, plane, subject.shape, _FINER)
    amplitude, bias = subject.bias
    shade = plane.smooth(lambda points: torch.exp(amplitude * bias(points)), 12.0, _FINER)
    phase = plane.smooth(subject.phase.of_water, 5.0, _FINER) + subject.phase.of_fat(values)
    fine = torch.polar(magnitude * shade, phase) * texture(plane, _FINER, *subject.roughness, dice)
    rows, columns = (central(_FINER * n, n) for n in plane.matrix)
    kspace = centered_fft(fine)[rows, columns] / _FINER
    return centered_ifft(kspace * _apodisation(plane.matrix, subject.resolution))


def _band(plane: Plane) -> Tensor:
    """What the receiver's bandwidth lets through, one but for the edges of the field of view."""
    rows, columns = (_ramp(_FINER * n, _FINER * _BAND) for n in plane.matrix)
    return rows[:, None] * columns


def _ramp(n: int, width: int) -> Tensor:
    from_edge = torch.minimum(torch.arange(n), torch.arange(n - 1, -1, -1)) + 0.5
    return torch.sin(math.pi / 2 * (from_edge / width).clamp(max=1)).square()


def _apodisation(matrix: tuple[int, int], edge: float) -> Tensor:
    """A Gaussian over k-space that falls to ``edge`` at the middle of its sides."""
    rows, columns = ((torch.arange(n) - n // 2) / (n / 2) for n in matrix)
    return torch.exp(math.log(edge) * (rows[:, None].square() + columns.square()))
