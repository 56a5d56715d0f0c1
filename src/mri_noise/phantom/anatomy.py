"""The magnitude and phase of a head, as functions of position.

Coordinates are those of the head [mm]: x across, y from front to back, z upwards; the origin is between the thalami.
The head is painted tissue over tissue. A tissue is given by the distance of each point to its surface [mm], positive
inside, and by its intensity, which is that of a T1-weighted image with fat at about one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mri_noise.phantom.fields import RandomField

Point = tuple[float, float, float]

Tissue = tuple[Tensor, Tensor | float]
"""Distance to the surface [mm], positive inside, and intensity."""

_WHITE, _GREY, _NUCLEUS, _PALLIDUM, _FLUID = 0.85, 0.54, 0.66, 0.77, 0.2
_BONE, _MARROW, _FAT, _SKIN, _MUSCLE, _BLOOD, _AIR = 0.05, 0.45, 0.95, 0.55, 0.45, 0.75, 0.0
_LESION, _ENHANCED = 0.45, 1.15

_BRAIN = (66.0, 83.0, 70.0)
"""Half axes of the brain [mm]."""
_HEAD = (92.0, 112.0, 98.0)
"""Half axes of an ellipsoid that holds the head [mm]."""
_EDGE = 0.3
"""Width of the transition between tissues [mm]."""
_POINTS_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True)
class _Individual:
    """What makes one head differ from another: random fields of position."""

    lean_x: RandomField
    lean_y: RandomField
    twist_x: RandomField
    twist_y: RandomField
    folds: RandomField
    reach: RandomField
    bend: RandomField
    marrow: RandomField
    coarse_texture: RandomField
    fine_texture: RandomField
    shading: RandomField
    lesions: Tensor

    @classmethod
    def draw(cls, seed: int) -> "_Individual":
        generator = torch.Generator().manual_seed(seed)

        def field(wavelength: float, n_waves: int = 12) -> RandomField:
            return RandomField.draw(wavelength, n_waves, generator)

        return cls(
            lean_x=field(150.0),
            lean_y=field(150.0),
            twist_x=field(40.0),
            twist_y=field(40.0),
            folds=field(24.0, n_waves=64),
            reach=field(45.0),
            bend=field(35.0),
            marrow=field(14.0),
            coarse_texture=field(11.0, n_waves=32),
            fine_texture=field(5.0, n_waves=32),
            shading=field(200.0),
            lesions=torch.rand(8, 3, generator=generator, dtype=torch.float64),
        )


def anatomy(points: Tensor, seed: int) -> Tensor:
    """Return the signal of the head at points of shape (..., 3) [mm]: about 0.85 in white matter, 0 in air."""
    individual = _Individual.draw(seed)
    flat = points.reshape(-1, 3)
    inside = _ellipsoid(flat, _HEAD) > 0
    parts = [_painted(part, individual) for part in flat[inside].split(_POINTS_AT_ONCE)]
    signal = flat.new_zeros(len(flat))
    signal[inside] = torch.cat(parts)
    return signal.reshape(points.shape[:-1])


def object_phase(points: Tensor, seed: int) -> Tensor:
    """Return the phase of the transverse magnetisation [rad]: smooth, with the off-resonance of the frontal sinus."""
    smooth = RandomField.draw(190.0, 10, torch.Generator().manual_seed(seed + 1))
    distance = torch.linalg.vector_norm(
        (points - points.new_tensor([0, -78, -8])) / points.new_tensor([1.2, 1, 1]), dim=-1
    )
    return 0.7 * smooth(points) + 2.2 * torch.exp(-((distance / 26) ** 2))


def _painted(points: Tensor, individual: _Individual) -> Tensor:
    p = points.clone()
    p[:, 0] += 2 * individual.lean_x(points)
    p[:, 1] += 2 * individual.lean_y(points)
    egg = torch.stack([p[:, 0] / (1 + 0.0009 * (p[:, 1] - 10)), p[:, 1], p[:, 2]], -1)
    depth = _ellipsoid(egg, _BRAIN)
    texture = 1 + 0.015 * individual.coarse_texture(p) + 0.012 * individual.fine_texture(p)
    signal = _over(_WHITE * texture, [*_nuclei(p), *_cortex(p, egg, depth, individual)])
    signal = _over(signal, [*_lesions(p, individual), *_ventricles(p, individual)])
    signal = _over(signal, _cover(p, depth, individual))
    return (signal * (1 + 0.05 * individual.shading(p))).clamp(min=0)


def _over(signal: Tensor, tissues: list[Tissue]) -> Tensor:
    """Paint tissues over one another, the last on top."""
    for distance, intensity in tissues:
        signal = signal + torch.sigmoid(distance / _EDGE) * (intensity - signal)
    return signal


def _nuclei(p: Tensor) -> list[Tissue]:
    q = _mirrored(p)
    caudate = torch.maximum(
        _ellipsoid(q - q.new_tensor([13, -17, 12]), (5.5, 11.0, 9.0)),
        _capsule(q, (15.0, -10.0, 20.0), (19.0, 12.0, 22.0), 3.0, 2.0),
    )
    thalamus = _ellipsoid(q - q.new_tensor([11, 11, 7]), (8.5, 14.0, 9.0))
    putamen = _ellipsoid(_sheared(q - q.new_tensor([26, -3, 4]), 0.25), (5.0, 15.0, 11.0))
    pallidum = _ellipsoid(_sheared(q - q.new_tensor([20, 0, 1]), 0.3), (4.0, 9.0, 7.0))
    return [(caudate, _NUCLEUS), (thalamus, _NUCLEUS), (putamen, _NUCLEUS), (pallidum, _PALLIDUM)]


def _cortex(p: Tensor, egg: Tensor, depth: Tensor, individual: _Individual) -> list[Tissue]:
    """Grey matter along the surface and the sulci, and the fluid in these."""
    sulcus = _to_sulcus(p, egg, depth, individual)
    fissure = _to_fissure(p, individual)
    gap = (0.95 - 0.04 * depth + 0.25 * individual.reach(p)).clamp(min=0)
    thickness = 2.7 + 0.5 * gap + 0.3 * individual.twist_x(p)
    grey = thickness - torch.minimum(torch.minimum(sulcus, fissure), depth)
    fluid = torch.maximum(gap - sulcus, 1.15 - fissure)
    return [(grey, _GREY), (fluid, _FLUID)]


def _to_sulcus(p: Tensor, egg: Tensor, depth: Tensor, individual: _Individual) -> Tensor:
    """Distance from the sulci: sheets on which a random field is zero, steep to the surface and of finite depth."""
    scaled = egg / egg.new_tensor(_BRAIN)
    outwards = scaled / torch.linalg.vector_norm(scaled, dim=-1, keepdim=True).clamp(min=1e-6)
    q = 50 * outwards + 0.5 * p
    q = q + 3 * torch.stack([individual.twist_x(p), individual.twist_y(p), torch.zeros_like(depth)], -1)
    sheet = individual.folds(q).abs() / individual.folds.slope(q).clamp(min=0.2)
    reach = 20 + 8 * individual.reach(p)
    return torch.hypot(sheet, (depth - reach).clamp(min=0))


def _to_fissure(p: Tensor, individual: _Individual) -> Tensor:
    """Distance from the fissures: between the hemispheres, lateral (Sylvian), and in front of the insula."""
    x, y, z = p.unbind(-1)
    side, bend = x.abs(), individual.bend(p)
    callosum = _ellipsoid(torch.stack([torch.zeros_like(x), y - 2, z - 4], -1), (1000.0, 43.0, 23.0))
    midline = torch.hypot(x - 0.6 * bend, callosum.clamp(min=0))
    lateral_y = y + 14 + 0.55 * (z - 8) + 1.5 * bend + 0.12 * (side - 36)
    lateral = torch.hypot(0.85 * lateral_y, (38 - side).clamp(min=0))
    beyond = torch.hypot(((y + 3).abs() - 17).clamp(min=0), ((z - 3).abs() - 17).clamp(min=0))
    insula = torch.hypot(side - 38 + 0.006 * (y + 2) ** 2 + 0.7 * bend, beyond)
    return torch.minimum(midline, torch.minimum(lateral, insula))


def _ventricles(p: Tensor, individual: _Individual) -> list[Tissue]:
    q = _mirrored(p)
    horns = (
        _capsule(q, (6.0, -33.0, 8.0), (9.0, -8.0, 19.0), 4.2, 3.8),
        _capsule(q, (9.0, -8.0, 19.0), (17.0, 24.0, 17.0), 3.8, 4.6),
        _capsule(q, (17.0, 24.0, 17.0), (25.0, 36.0, 6.0), 4.6, 5.0),
        _capsule(q, (23.0, 34.0, 10.0), (17.0, 58.0, 6.0), 4.2, 2.0),
    )
    lateral = torch.stack(horns).amax(0) + 0.5 * individual.bend(p)
    third = _ellipsoid(p - p.new_tensor([0, 8, -1]), (2.2, 15.0, 12.0))
    cistern = _ellipsoid(p - p.new_tensor([0, 33, 0]), (11.0, 6.0, 5.0))
    return [(lateral, _FLUID), (third, _FLUID), (cistern, _FLUID)]


def _lesions(p: Tensor, individual: _Individual) -> list[Tissue]:
    """Small spheres in the white matter, of 3 to 9 mm diameter; every third is enhanced."""
    tissues: list[Tissue] = []
    for number, (across, along, up) in enumerate(individual.lesions.tolist()):
        centre = p.new_tensor([(-1) ** number * (18 + 12 * across), -35 + 75 * along, 2 + 22 * up])
        distance = 1.5 + 0.4 * number - torch.linalg.vector_norm(p - centre, dim=-1)
        tissues.append((distance, _ENHANCED if number % 3 == 2 else _LESION))
    return tissues


def _cover(p: Tensor, depth: Tensor, individual: _Individual) -> list[Tissue]:
    """What surrounds the brain: fluid, the sagittal sinus, skull with marrow, fat, muscle, skin, and air."""
    x, y, z = p.unbind(-1)
    side, marrow = x.abs(), individual.marrow(p)
    height = 0.5 * individual.bend(p) - depth
    temple = 1 - ((y + 20) / 28).square() - (z / 40).square()
    surface = 13.5 + 4 * temple.clamp(min=0) * (side > 20)
    return [
        (height, _FLUID),
        (4.2 - torch.hypot(1.2 * side, height - 1.5), _BLOOD),
        (height - 2.4 - 0.4 * individual.bend(0.7 * p), _BONE),
        (1.1 + 0.6 * marrow - (height - 5.6).abs(), _MARROW),
        (height - 8.6, _FAT * (1 + 0.08 * marrow)),
        (torch.minimum(torch.minimum(height - 8.8, surface - 3 - height), 10 * temple), _MUSCLE),
        (height - surface + 1.4, _SKIN),
        (height - surface, _AIR),
    ]


def _mirrored(p: Tensor) -> Tensor:
    return torch.cat([p[:, :1].abs(), p[:, 1:]], -1)


def _sheared(p: Tensor, slope: float) -> Tensor:
    return torch.cat([p[:, :1] - slope * p[:, 1:2], p[:, 1:]], -1)


def _ellipsoid(p: Tensor, half_axes: Point) -> Tensor:
    """Distance to the surface along the ray from the centre, positive inside."""
    relative = torch.linalg.vector_norm(p / p.new_tensor(half_axes), dim=-1).clamp(min=1e-6)
    return torch.linalg.vector_norm(p, dim=-1) * (1 / relative - 1)


def _capsule(p: Tensor, start: Point, end: Point, start_radius: float, end_radius: float) -> Tensor:
    """Distance to the surface of a rod whose radius changes along it, positive inside."""
    origin = p.new_tensor(start)
    axis = p.new_tensor(end) - origin
    along = ((p - origin) @ axis / (axis @ axis)).clamp(0, 1)
    radius = start_radius + (end_radius - start_radius) * along
    return radius - torch.linalg.vector_norm(p - origin - along[:, None] * axis, dim=-1)
