"""Coil noise: its covariance, prewhitening, and random probes.

THE convention, stated here and nowhere else: Psi[c, d] = E[n_c conj(n_d)] for the noise n of one k-space sample, so
that Psi[c, c] is the variance of the real PLUS the imaginary part of coil c. With the orthonormal Fourier transform
the same Psi holds for a pixel of a fully sampled coil image. A "noise level" is the root of that variance.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mri_noise.arrays import CoilCovariance, GridMask
from mri_noise.operators.linop import LinearOperator, Shape


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of the k-space samples of one scan.

    Attributes
    ----------
    covariance : shape (coils, coils), complex128, in the data's units squared
    source
        Where it comes from, in words.
    n_samples
        Independent samples that the covariance was estimated from; None if it is given, and taken to be exact.
    halves : two of shape (coils, coils), or None
        Covariances of one half of the samples and of the other, which are independent of each other: coils that are
        whitened by the first have the noise that the second says, see :func:`whitening_matrix`.

    Raises
    ------
    ValueError
        If the covariance is not Hermitian positive definite.
    """

    covariance: CoilCovariance
    source: str
    n_samples: int | None = None
    halves: tuple[CoilCovariance, CoilCovariance] | None = None

    def __post_init__(self) -> None:
        _require_positive_definite(self.covariance, self.source)

    @property
    def level(self) -> float:
        """Root mean square over the coils, in the data's units."""
        return float(self.covariance.diagonal().real.mean().sqrt())

    @property
    def uncertainty(self) -> float:
        """Relative standard error that the covariance's own error gives to a standard deviation; 0 if it is given.

        n w^H Psi_n w / w^H Psi w is a Gamma variable of shape n for a covariance Psi_n of n samples and any w that
        does not depend on them (Goodman 1963, doi:10.1214/aoms/1177704250): the error is 1 / (2 sqrt(n)). Voxels whose
        noise is a sum over many w are known better than that.
        """
        return 0.0 if self.n_samples is None else 0.5 / self.n_samples**0.5

    def scaled(self, factor: float) -> "Noise":
        """The same noise with its variance multiplied by a factor."""
        halves = None if self.halves is None else (factor * self.halves[0], factor * self.halves[1])
        return replace(self, covariance=factor * self.covariance, halves=halves)


def _require_positive_definite(covariance: Tensor, source: str) -> None:
    what = f"the noise covariance ({source})"
    advice = "give the noise by level, file or prescan"
    if not bool(torch.isfinite(torch.view_as_real(covariance)).all()):
        raise ValueError(f"{what} should be finite, but holds NaN or Inf; {advice}")
    scale = float(covariance.abs().max())
    if float((covariance - covariance.mH).abs().max()) > 1e-6 * scale:
        raise ValueError(f"{what} should be Hermitian, but differs from its conjugate transpose; {advice}")
    smallest = float(torch.linalg.eigvalsh(covariance)[0])
    if smallest <= 1e-13 * scale:
        raise ValueError(
            f"{what} should be positive definite, but its smallest eigenvalue is {smallest:.3g} "
            f"(largest entry {scale:.3g}); {advice}"
        )


def noise_from_samples(samples: Tensor, source: str, n_independent: int | None = None) -> Noise:
    """Estimate the covariance from samples that hold noise only, shape (coils, samples).

    The first half of them and the second should be independent of each other. ``n_independent`` says as how many
    independent samples they count where neighbours are correlated.

    Raises
    ------
    ValueError
        If there are fewer than four samples a coil, too few for a covariance.
    """
    n_coils, n_stored = samples.shape
    n_samples = n_stored if n_independent is None else n_independent
    if n_samples < 4 * n_coils:
        raise ValueError(
            f"the noise covariance of {n_coils} coils needs at least {4 * n_coils} noise samples, got {n_samples} "
            f"({source}); use a larger noise region"
        )
    x = samples.to(torch.complex128)
    first, second = (half @ half.mH / half.shape[1] for half in (x[:, : n_stored // 2], x[:, n_stored // 2 :]))
    return Noise(x @ x.mH / n_stored, source, n_samples, (first, second))


def noise_from_covariance(covariance: CoilCovariance, source: str, n_samples: int | None, *, seed: int = 0) -> Noise:
    """Take over a covariance that was estimated from a number of samples, or that is exact (None).

    Two halves of the samples are drawn from it. With L L^H the sum of squares of all samples of Gaussian noise, the
    share U in L U L^H of the first half is a complex matrix-variate beta variable that does not depend on L (Khatri
    1965). Any draw of U therefore gives L U L^H and L (1 - U) L^H the distribution that the halves had.

    Raises
    ------
    ValueError
        If there were fewer than four samples a coil, or the covariance is not Hermitian positive definite.
    """
    noise = Noise(covariance, source, n_samples)
    if n_samples is None:
        return noise
    n_coils = len(covariance)
    if n_samples < 4 * n_coils:
        raise ValueError(
            f"the noise covariance of {n_coils} coils ({source}) should be estimated from at least {4 * n_coils} "
            f"samples, got {n_samples}; measure more noise"
        )
    counts = n_samples // 2, n_samples - n_samples // 2
    generator = np.random.default_rng(seed)
    drawn = [_wishart(n_coils, count, generator) for count in counts]
    root = n_samples**0.5 * torch.linalg.cholesky(covariance) @ torch.linalg.inv(torch.linalg.cholesky(sum(drawn)))
    first, second = (root @ half @ root.mH / count for half, count in zip(drawn, counts, strict=True))
    return replace(noise, halves=(first, second))


def _wishart(n: int, n_samples: int, generator: np.random.Generator) -> CoilCovariance:
    """Draw the sum of squares of white circular samples of unit variance, from its triangular root (Bartlett 1933)."""
    below = np.tril(generator.normal(size=(n, n)) + 1j * generator.normal(size=(n, n)), -1) / 2**0.5
    root = torch.from_numpy(below + np.diag(generator.gamma(n_samples - np.arange(n)) ** 0.5))
    return root @ root.mH


def noise_of_level(level: float, n_coils: int) -> Noise:
    """White noise of one level in every coil, uncorrelated between coils."""
    return Noise(level**2 * torch.eye(n_coils, dtype=torch.complex128), f"level {level:g}")


def whitening_matrix(noise: Noise) -> tuple[CoilCovariance, Noise]:
    """Return W that whitens the coils, and the noise after it.

    W = s L^-1 with L L^H = Psi and s^2 the mean coil variance: the coils become uncorrelated and of one level while
    the data keep their scale. Pruessmann 2001, doi:10.1002/mrm.1241.

    An estimate of Psi from N samples must not say what is left of itself. That would be white, and the true noise is
    not: L is fitted to the errors of its own samples too, and the std of a combination of p coils would be said to be
    1 - p / N of what it is (Reed, Mallett and Brennan 1974, doi:10.1109/TAES.1974.307893). Here W is taken from one
    half of the samples, shrunk, and the noise after it from the other half: W Psi_2 W^H is unbiased for any W that does
    not depend on Psi_2.
    """
    whitener, stated, n_samples = noise.covariance, noise.covariance, noise.n_samples
    source = f"{noise.source}, prewhitened"
    if noise.halves is not None and n_samples is not None:
        whitener, stated = shrunk(noise.halves[0], n_samples // 2), noise.halves[1]
        n_samples -= n_samples // 2
        source += " by half of the samples"
    identity = torch.eye(len(whitener), dtype=torch.complex128)
    scale = whitener.diagonal().real.mean().sqrt()
    whitening = scale * torch.linalg.solve_triangular(torch.linalg.cholesky(whitener), identity, upper=False)
    covariance = whitening @ stated @ whitening.mH
    return whitening, Noise((covariance + covariance.mH) / 2, source, n_samples)


def shrunk(covariance: CoilCovariance, n_samples: int) -> CoilCovariance:
    """Draw the correlations of an estimated covariance towards zero, by as much as their own errors explain.

    Correlations are multiplied by 1 - sum Var(r) / sum |r|^2, at least 0, the sums being over pairs of coils and
    Var(r) = (1 - |r|^2)^2 / n: what whitens the coils best on average, also where samples are few.
    Schäfer and Strimmer 2005, doi:10.2202/1544-6115.1175.
    """
    deviations = covariance.diagonal().real.sqrt()
    squared = (covariance / (deviations[:, None] * deviations)).abs().square().fill_diagonal_(0)
    errors = (1 - squared).square().fill_diagonal_(0).sum() / n_samples
    kept = (1 - errors / squared.sum().clamp_min(torch.finfo(squared.dtype).tiny)).clamp(0, 1)
    return torch.where(torch.eye(len(covariance), dtype=torch.bool), covariance, kept * covariance)


def mix_coils(matrix: CoilCovariance, kspace: Tensor, n_axes: int = 2) -> Tensor:
    """Combine coils linearly: (coils, coils) on (..., coils, rows, columns), or on any number of axes after coils."""
    axes = "rkstuvwxyz"[:n_axes]
    return torch.einsum(f"cd,...d{axes}->...c{axes}", matrix.to(kspace), kspace)


@dataclass(frozen=True, eq=False)
class NoiseShaping(LinearOperator):
    """L with L L^H = Psi at the sampled points: turns white noise of unit variance into the scan's noise.

    Parameters
    ----------
    factor : shape (coils, coils)
        L of one sample.
    mask : shape (*samples)
        Where there is noise: (rows, columns) for a Cartesian scan.
    """

    factor: CoilCovariance
    mask: GridMask

    @classmethod
    def of(cls, noise: Noise, mask: GridMask, dtype: torch.dtype = torch.complex64) -> "NoiseShaping":
        """Make the operator for one mask, on the mask's device."""
        return cls(torch.linalg.cholesky(noise.covariance).to(mask.device, dtype), mask)

    @property
    def in_shape(self) -> Shape:
        return (self.factor.shape[0], *self.mask.shape)

    @property
    def out_shape(self) -> Shape:
        return self.in_shape

    def _apply(self, x: Tensor) -> Tensor:
        return mix_coils(self.factor, x, self.mask.ndim) * self.mask

    def _adjoint(self, y: Tensor) -> Tensor:
        return mix_coils(self.factor.mH, y * self.mask, self.mask.ndim)


Draw = Literal["gaussian", "random phase"]


def white_probes(
    n_probes: int, shape: Shape, generator: torch.Generator, like: Tensor, *, draw: Draw, chunk: int
) -> Iterator[Tensor]:
    """Draw white circular probes v with E[v v^H] = 1 and E[v v^T] = 0, in chunks on the device and type of ``like``.

    Each probe is a draw of its own from the CPU generator, so that neither chunk nor device changes the numbers.
    """
    for start in range(0, n_probes, chunk):
        probes = [_probe(shape, generator, draw, like.dtype) for _ in range(min(chunk, n_probes - start))]
        yield torch.stack(probes).to(like.device)


def _probe(shape: Shape, generator: torch.Generator, draw: Draw, dtype: torch.dtype) -> Tensor:
    if draw == "gaussian":
        return torch.randn(shape, generator=generator, dtype=dtype)
    angle = 2 * torch.pi * torch.rand(shape, generator=generator, dtype=dtype.to_real())
    return torch.polar(torch.ones_like(angle), angle)
