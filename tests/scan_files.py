"""A small scan of three coils, as a file."""

from pathlib import Path

import h5py
import numpy as np


def write(path: Path, samples: np.ndarray, **more: np.ndarray) -> Path:
    """Write k-space as fastMRI does."""
    with h5py.File(path, "w") as file:
        file["kspace"] = samples
        for name, values in more.items():
            file[name] = values
    return path


def kspace(n_slices: int = 2) -> np.ndarray:
    """An ellipse seen by three coils, with noise."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:32j, -1:1:28j]
    coils = np.stack([np.exp(-((x - np.cos(a)) ** 2 + (y - np.sin(a)) ** 2)) for a in (0, 2, 4)])
    image = coils * (x**2 / 0.5 + y**2 / 0.6 < 1) * np.exp(0.5j * x)
    shifted = np.fft.ifftshift(image, axes=(-2, -1))
    samples = np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), axes=(-2, -1))
    noise = generator.standard_normal((n_slices, 3, 32, 28, 2)) @ [1, 1j] * 0.01
    return (samples + noise).astype(np.complex64)
