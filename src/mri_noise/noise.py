"""Coil noise: its covariance, prewhitening, and random probes.

THE convention, stated here and nowhere else: Psi[c, d] = E[n_c conj(n_d)] for the noise n of one k-space sample, so
that Psi[c, c] is the variance of the real PLUS the imaginary part of coil c. With the orthonormal Fourier transform
the same Psi holds for a pixel of a fully sampled coil image. A "noise level" is the root of that variance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import CoilCovariance, KSpace, Mask
from mri_noise.encoding import centered_ifft
from mri_noise.linop import LinearOperator, Shape
from mri_noise.settings import Settings


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of the k-space samples of one scan.

    Attributes
    ----------
    covariance : shape (coils, coils), complex128, in the data's units squared
    source
        Where it comes from, in words.

    Raises
    ------
    ValueError
        If the covariance is not Hermitian positive definite.
    """

    covariance: CoilCovariance
    source: str

    def __post_init__(self) -> None:
        _require_positive_definite(self.covariance, self.source)


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


def noise_from_samples(samples: Tensor, source: str) -> Noise:
    """Estimate the covariance from samples that hold noise only, shape (coils, samples).

    Raises
    ------
    ValueError
        If there are fewer than four samples a coil, too few for a covariance.
    """
    n_coils, n_samples = samples.shape
    if n_samples < 4 * n_coils:
        raise ValueError(
            f"the noise covariance of {n_coils} coils needs at least {4 * n_coils} noise samples, got {n_samples} "
            f"({source}); use a larger noise region"
        )
    x = samples.to(torch.complex128)
    return Noise(x @ x.mH / n_samples, source)


def noise_of_level(level: float, n_coils: int) -> Noise:
    """White noise of one level in every coil, uncorrelated between coils."""
    return Noise(level**2 * torch.eye(n_coils, dtype=torch.complex128), f"level {level:g}")


class MeasuredNoise(Settings):
    """The scan's own noise: its prescan; else the image corners; else, if undersampled, the edge of k-space."""

    kind: Literal["measured"] = "measured"

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice."""
        if prescan is not None:
            return prescan
        return NoiseFromCorners()(kspace, mask, None) if bool(mask.all()) else NoiseFromEdge()(kspace, mask, None)


class NoiseFromPrescan(Settings):
    """The noise measured without excitation, stored with the scan."""

    kind: Literal["prescan"] = "prescan"

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the prescan's noise; ValueError if the scan has none."""
        if prescan is None:
            raise ValueError("this scan has no noise prescan; set noise.kind to measured, corners, edge or level")
        return prescan


class NoiseFromCorners(Settings):
    """Signal-free corners of the fully sampled coil images.

    Corners with more than twice the power of the quietest one hold signal or artefact, and are left out.
    """

    kind: Literal["corners"] = "corners"
    fraction: float = Field(0.1, gt=0, le=0.5, description="Side of a corner as a fraction of the image")

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice; ValueError if it is undersampled (aliasing fills the corners)."""
        if not bool(mask.all()):
            raise ValueError(
                "image corners show the noise of a fully sampled slice only, and this one is undersampled; "
                "set noise.kind to edge, prescan, level or file"
            )
        images = centered_ifft(kspace.to(torch.complex128))
        height, width = (max(1, round(self.fraction * n)) for n in mask.shape)
        rows, columns = (slice(None, height), slice(-height, None)), (slice(None, width), slice(-width, None))
        corners = [images[:, r, c].flatten(1) for r in rows for c in columns]
        powers = [float(corner.abs().square().mean()) for corner in corners]
        quiet = [corner for corner, power in zip(corners, powers, strict=True) if power <= 2 * min(powers)]
        return noise_from_samples(torch.cat(quiet, dim=1), f"{len(quiet)} image corners of {height} x {width}")


class NoiseFromEdge(Settings):
    """The outermost samples of k-space, where an image has next to no signal: an upper bound."""

    kind: Literal["edge"] = "edge"
    fraction: float = Field(0.05, gt=0, le=0.5, description="Share of the samples that is taken, outermost first")

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice."""
        rows, columns = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in mask.shape)
        radius = (rows[:, None].square() + columns[None, :].square()).to(mask.device)[mask]
        n_samples = max(1, round(self.fraction * radius.numel()))
        outermost = torch.topk(radius, n_samples).indices
        return noise_from_samples(kspace[:, mask][:, outermost], f"outermost {n_samples} k-space samples")


class NoiseLevel(Settings):
    """A given level: root of the variance of real plus imaginary part, the same in every coil, in the data's units."""

    kind: Literal["level"] = "level"
    level: float = Field(gt=0, description="Noise level of a k-space sample, in the data's units")

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice."""
        return noise_of_level(self.level, kspace.shape[0])


class NoiseFromFile(Settings):
    """A covariance from a NumPy file, shape (coils, coils)."""

    kind: Literal["file"] = "file"
    path: Path = Field(description="A .npy file")

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice; ValueError if the file or its shape does not fit."""
        try:
            covariance = np.load(self.path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot read a noise covariance from '{self.path}': {error}") from None
        n_coils = kspace.shape[0]
        if covariance.shape != (n_coils, n_coils):
            raise ValueError(
                f"the noise covariance in '{self.path}' should be of shape {(n_coils, n_coils)}, got {covariance.shape}"
            )
        return Noise(torch.as_tensor(covariance, dtype=torch.complex128), f"file {self.path.name}")


NoiseSource = Annotated[
    MeasuredNoise | NoiseFromPrescan | NoiseFromCorners | NoiseFromEdge | NoiseLevel | NoiseFromFile,
    Field(discriminator="kind"),
]


def whitening_matrix(noise: Noise) -> tuple[CoilCovariance, Noise]:
    """Return W that whitens the coils, and the noise after it.

    W = s L^-1 with L L^H = Psi and s^2 the mean coil variance: the coils become uncorrelated and of one level while
    the data keep their scale. Pruessmann 2001, doi:10.1002/mrm.1241.
    """
    n_coils = noise.covariance.shape[0]
    identity = torch.eye(n_coils, dtype=torch.complex128)
    variance = noise.covariance.diagonal().real.mean()
    factor = torch.linalg.cholesky(noise.covariance)
    whitening = variance.sqrt() * torch.linalg.solve_triangular(factor, identity, upper=False)
    return whitening, Noise(variance * identity, f"{noise.source}, prewhitened")


def mix_coils(matrix: CoilCovariance, kspace: Tensor) -> Tensor:
    """Combine coils linearly: (coils, coils) on (..., coils, rows, columns)."""
    return torch.einsum("cd,...drk->...crk", matrix.to(kspace), kspace)


@dataclass(frozen=True, eq=False)
class Colouring(LinearOperator):
    """L with L L^H = Psi at the sampled points: turns white noise of unit variance into the scan's noise."""

    factor: CoilCovariance
    mask: Mask

    @classmethod
    def of(cls, noise: Noise, mask: Mask, dtype: torch.dtype = torch.complex64) -> "Colouring":
        """Make the operator for one mask, on the mask's device."""
        return cls(torch.linalg.cholesky(noise.covariance).to(mask.device, dtype), mask)

    @property
    def in_shape(self) -> Shape:
        return (self.factor.shape[0], *self.mask.shape)

    @property
    def out_shape(self) -> Shape:
        return self.in_shape

    def _apply(self, x: Tensor) -> Tensor:
        return mix_coils(self.factor, x) * self.mask

    def _adjoint(self, y: Tensor) -> Tensor:
        return mix_coils(self.factor.mH, y * self.mask)


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
