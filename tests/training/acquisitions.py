"""Small acquisitions with known images, and files of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from mri_noise.operators.fourier import centered_fft
from mri_noise.training.example import Acquisition
from tests.problems import smooth_maps


def image(rows: int, columns: int, seed: int = 0) -> Tensor:
    """A textured ellipse with phase, bright tissue about one, shape (rows, columns), complex64."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.linspace(-1, 1, rows)[:, None], torch.linspace(-1, 1, columns)
    texture = 0.6 + 0.4 * torch.rand(rows, columns, generator=generator)
    return torch.polar(texture * (x**2 + (1.3 * y) ** 2 < 0.7), x + 2 * y)


def acquisition(
    rows: int = 24,
    columns: int = 20,
    n_coils: int = 3,
    *,
    noise_level: float = 0.0,
    mask: Tensor | None = None,
    axes: tuple[int, ...] = (-1,),
    seed: int = 0,
) -> Acquisition:
    """An acquisition that agrees with its maps exactly, but for noise of the given level."""
    maps = smooth_maps(n_coils, rows, columns, torch.complex64)
    kspace = centered_fft(maps * image(rows, columns, seed))
    noise = torch.randn(kspace.shape, generator=torch.Generator().manual_seed(seed), dtype=kspace.dtype)
    mask = torch.ones(rows, columns, dtype=torch.bool) if mask is None else mask
    return Acquisition((kspace + noise_level * noise) * mask, mask, maps, noise_level, axes)


@dataclass
class Listed:
    """Acquisitions in memory, which remember when they were read."""

    acquisitions: Sequence[Acquisition]
    subjects: tuple[str, ...]

    def __post_init__(self) -> None:
        self.reads: list[int] = []

    def __len__(self) -> int:
        return len(self.acquisitions)

    def __getitem__(self, index: int) -> Acquisition:
        self.reads.append(index)
        return self.acquisitions[index]


def several(n: int, n_subjects: int | None = None) -> Listed:
    """Distinct acquisitions of 16 x 18 pixels, of some subjects in turn."""
    subjects = tuple(f"subject {number % (n_subjects or n)}" for number in range(n))
    return Listed([acquisition(16, 18, 2, seed=number) for number in range(n)], subjects)


def write_scan(
    path: Path, n_slices: int = 1, *, size: int = 32, scale: float = 1e-4, sampled: Tensor | None = None
) -> Path:
    """A fastMRI file with a noise covariance, in small units; ``sampled`` is its mask of lines."""
    slices = [acquisition(size, size, 4, noise_level=0.01, seed=number) for number in range(n_slices)]
    with h5py.File(path, "w") as file:
        kspace = scale * torch.stack([one.kspace for one in slices])
        file["kspace"] = (kspace if sampled is None else kspace * sampled).numpy()
        file["noise_covariance"] = (0.01 * scale) ** 2 * np.eye(4)
        if sampled is not None:
            file["mask"] = sampled.numpy().astype(np.uint8)
    return path
