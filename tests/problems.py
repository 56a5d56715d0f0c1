"""Tiny reconstruction problems with exact answers, in double precision."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mri_noise.acquisition.noise import Noise, mix_coils
from mri_noise.operators.cartesian import Sense
from mri_noise.operators.replay import multiply
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.variance.linearise.draws import Draws
from mri_noise.variance.linearise.point import OperatingPoint, operating_point


@dataclass(frozen=True)
class Problem:
    encoding: Sense
    noise: Noise
    kspace: Tensor


def smooth_maps(n_coils: int, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """Coil maps that differ smoothly and have a sum of squares of one."""
    y = torch.linspace(-1, 1, rows, dtype=torch.float64)[:, None]
    x = torch.linspace(-1, 1, columns, dtype=torch.float64)[None, :]
    angles = 2 * torch.pi * torch.arange(n_coils, dtype=torch.float64) / n_coils
    maps = [
        torch.exp(-((y - a.sin()) ** 2 + (x - a.cos()) ** 2) / 1.5) * torch.exp(1j * (a + y * a.cos() - x * a.sin()))
        for a in angles
    ]
    stacked = torch.stack(maps)
    return (stacked / torch.linalg.vector_norm(stacked, dim=0)).to(dtype)


def covariance(n_coils: int, generator: torch.Generator, level: float = 0.05) -> Noise:
    """A correlated coil noise covariance."""
    factor = torch.eye(n_coils) + 0.4 * torch.randn(n_coils, n_coils, generator=generator, dtype=torch.complex128)
    return Noise(level**2 * factor @ factor.mH, "test")


def noise_kspace(noise: Noise, rows: int = 64, columns: int = 48, seed: int = 0) -> Tensor:
    """K-space of noise alone, shape (coils, rows, columns)."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(noise.covariance.shape[0], rows, columns, generator=generator, dtype=torch.complex128)
    return mix_coils(torch.linalg.cholesky(noise.covariance), white)


def covariance_z(estimate: Tensor, truth: Tensor, n_samples: int) -> Tensor:
    """Errors of covariance entries in units of their standard error sqrt(Psi_cc Psi_dd / n)."""
    diagonal = truth.diagonal().real
    return (estimate - truth).abs() / (diagonal[:, None] * diagonal[None, :] / n_samples).sqrt()


def equispaced(rows: int, columns: int, acceleration: int, n_calibration: int = 0, offset: int = 0) -> Tensor:
    """Every R-th column and the centre."""
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    mask[:, offset::acceleration] = True
    start = columns // 2 - n_calibration // 2
    mask[:, start : start + n_calibration] = True
    return mask


def problem(
    rows: int = 9,
    columns: int = 12,
    n_coils: int = 4,
    mask: Tensor | None = None,
    *,
    dtype: torch.dtype = torch.complex128,
    seed: int = 0,
) -> Problem:
    """A textured object with phase, seen by a few coils."""
    generator = torch.Generator().manual_seed(seed)
    if mask is None:
        mask = equispaced(rows, columns, 2, 4)
    y = torch.linspace(-1, 1, rows, dtype=torch.float64)[:, None]
    x = torch.linspace(-1, 1, columns, dtype=torch.float64)[None, :]
    texture = 1 + 0.5 * torch.rand(rows, columns, generator=generator, dtype=torch.float64)
    image = (texture * torch.exp(-(x**2 + y**2))) * torch.exp(1j * (x + 2 * y))
    encoding = Sense(smooth_maps(n_coils, rows, columns, dtype), mask)
    return Problem(encoding, covariance(n_coils, generator), encoding(image.to(dtype)))


def point_of(problem: Problem, reconstructor: Reconstructor, *, draws: Draws | None = None) -> OperatingPoint:
    """The point at which a reconstruction of the problem is linearised."""
    return operating_point(reconstructor, problem.kspace, problem.encoding, problem.noise, draws=draws)


def louder(point: OperatingPoint, factor: float) -> OperatingPoint:
    """The same point with more noise."""
    return replace(point, noise_shaping=replace(point.noise_shaping, factor=factor * point.noise_shaping.factor))


class Curved:
    """A reconstruction with a cubic term, whose weight is its curvature."""

    replayable = True

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature

    def __call__(self, kspace: Tensor, encoding: Sense) -> Tensor:
        x = encoding.adjoint(kspace)
        return x - multiply(multiply(x, x.conj()), x) * self.curvature
