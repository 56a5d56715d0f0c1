"""Where the coil noise of a scan comes from: choices that a user makes."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from mri_noise.acquisition.noise import Noise, noise_from_covariance, noise_from_samples, noise_of_level
from mri_noise.acquisition.sampled import sampled_block, without_gaps
from mri_noise.arrays import KSpace, Mask
from mri_noise.choices import Choosable, Group
from mri_noise.operators.fourier import centered_ifft


class NoiseSource(Choosable):
    """Where the coil noise covariance of a scan comes from."""

    group: ClassVar[Group] = "noise"
    thing: ClassVar[str] = "noise source"

    @abstractmethod
    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice, or ValueError, in one sentence.

        Parameters
        ----------
        kspace : shape (coils, rows, columns), in the data's units
        mask : shape (rows, columns)
            Where it was sampled.
        prescan
            The noise that was measured without excitation; None if there was no such measurement.
        """


class MeasuredNoise(NoiseSource):
    """The scan's own noise: its prescan; else the image corners; else, where these alias, the edge of k-space."""

    title: ClassVar[str] = "as measured"

    kind: Literal["measured"] = "measured"

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice."""
        if prescan is not None:
            return prescan
        return NoiseFromCorners()(kspace, mask, None) if without_gaps(mask) else NoiseFromEdge()(kspace, mask, None)


class NoiseFromPrescan(NoiseSource):
    """The noise measured without excitation, stored with the scan."""

    kind: Literal["prescan"] = "prescan"

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the prescan's noise; ValueError if the scan has none."""
        if prescan is None:
            raise ValueError("this scan has no noise prescan; set noise.kind to measured, corners, edge or level")
        return prescan


class NoiseFromCorners(NoiseSource):
    """Signal-free corners of coil images that do not alias.

    The images are made of the rectangle of k-space that was sampled, which need not be all of it: a scan that is padded
    with zeros, a partial echo and an elliptical shutter leave nothing out between samples. Corners with more than twice
    the power of the quietest one hold signal or artefact, and are left out.
    """

    kind: Literal["corners"] = "corners"
    fraction: float = Field(0.1, gt=0, le=0.5, description="Side of a corner as a fraction of the image")

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice; ValueError if lines are left out between others (aliasing fills the corners)."""
        if not without_gaps(mask):
            raise ValueError(
                "image corners show the noise of a slice without gaps in its k-space only, and this one is "
                "undersampled; set noise.kind to edge, prescan, level or file"
            )
        block = sampled_block(mask)
        images, share = centered_ifft(kspace[:, *block].to(torch.complex128)), float(mask[block].double().mean())
        height, width = (max(1, round(self.fraction * n)) for n in images.shape[-2:])
        rows, columns = (slice(None, height), slice(-height, None)), (slice(None, width), slice(-width, None))
        corners = [images[:, r, c].flatten(1) for r in rows for c in columns]
        powers = [float(corner.abs().square().mean()) for corner in corners]
        quiet = [corner for corner, power in zip(corners, powers, strict=True) if power <= 2 * min(powers)]
        samples = torch.cat(_in_halves(quiet), dim=1) / share**0.5
        source = f"{len(quiet)} image corners of {height} x {width}"
        return noise_from_samples(samples, source, round(share * samples.shape[1]))


def _in_halves(parts: list[Tensor]) -> list[Tensor]:
    """The first half of each, then the second half of each."""
    middles = [part.shape[1] // 2 for part in parts]
    return [part[:, :n] for part, n in zip(parts, middles, strict=True)] + [
        part[:, n:] for part, n in zip(parts, middles, strict=True)
    ]


class NoiseFromEdge(NoiseSource):
    """The outermost samples of k-space, where an image has next to no signal: an upper bound."""

    kind: Literal["edge"] = "edge"
    fraction: float = Field(0.05, gt=0, le=0.5, description="Share of the samples that is taken, outermost first")

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice."""
        rows, columns = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in mask.shape)
        radius = (rows[:, None].square() + columns[None, :].square()).to(mask.device)[mask]
        n_samples = max(1, round(self.fraction * radius.numel()))
        outermost = kspace[:, mask][:, torch.topk(radius, n_samples).indices]
        alternating = torch.cat([outermost[:, ::2], outermost[:, 1::2]], dim=1)  # both halves alike in their distance
        return noise_from_samples(alternating, f"outermost {n_samples} k-space samples")


class NoiseLevel(NoiseSource):
    """A given level: root of the variance of real plus imaginary part, the same in every coil, in the data's units."""

    kind: Literal["level"] = "level"
    level: float = Field(gt=0, description="Noise level of a k-space sample, in the data's units")

    def __call__(self, kspace: KSpace, mask: Mask, prescan: Noise | None) -> Noise:
        """Return the noise of a slice."""
        return noise_of_level(self.level, kspace.shape[0])


class NoiseFromFile(NoiseSource):
    """A covariance from a NumPy file, shape (coils, coils)."""

    title: ClassVar[str] = "from the file"

    kind: Literal["file"] = "file"
    path: Path = Field(description="A .npy file")
    n_samples: int | None = Field(
        None, ge=4, description="Noise samples that it was estimated from; none: it is taken to be exact"
    )

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
        values = torch.as_tensor(covariance, dtype=torch.complex128)
        return noise_from_covariance(values, f"file {self.path.name}", self.n_samples)
