"""The readout axis, which is always fully sampled in time: transforms over the last axis, and oversampling."""

import torch
from torch import Tensor

from mri_noise.operators.fourier import centered_fft, centered_ifft, central


def readout_ifft(lines: Tensor) -> Tensor:
    """Centred orthonormal inverse Fourier transform over the last axis."""
    return centered_ifft(lines, (-1,))


def readout_fft(profiles: Tensor) -> Tensor:
    """Inverse of :func:`readout_ifft`."""
    return centered_fft(profiles, (-1,))


def crop_readout(profiles: Tensor, n_readout: int) -> Tensor:
    """Keep the middle of the last axis; the centre, index n // 2, stays the centre."""
    return profiles[..., central(profiles.shape[-1], n_readout)]


def remove_oversampling(lines: Tensor, n_readout: int) -> Tensor:
    """Narrow the field of view of readout lines to its middle, shape (..., samples) -> (..., n_readout).

    Transform, crop and transform back are orthonormal: white noise stays white and keeps its variance per sample.
    """
    if lines.shape[-1] == n_readout:
        return lines
    return readout_fft(crop_readout(readout_ifft(lines), n_readout))


def resample(profiles: Tensor, n: int) -> Tensor:
    """Show the same field of view in ``n`` points: cut k-space to its middle, or surround it by zeros."""
    if profiles.shape[-1] == n:
        return profiles
    kspace, n_kept = readout_fft(profiles), min(n, profiles.shape[-1])
    resampled = kspace.new_zeros(*kspace.shape[:-1], n)
    resampled[..., central(n, n_kept)] = kspace[..., central(kspace.shape[-1], n_kept)]
    return readout_ifft(resampled)


def remaining_samples(n_samples: int, n_readout: int) -> Tensor:
    """Where the samples that :func:`remove_oversampling` leaves lie in the original line: the nearest index of each."""
    steps = torch.arange(n_readout, dtype=torch.float64) - n_readout // 2
    return (n_samples // 2 + steps * (n_samples / n_readout)).round().long()
