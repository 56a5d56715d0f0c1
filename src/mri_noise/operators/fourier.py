"""The centred Fourier transform, and the middle of what it transforms."""

import torch
from torch import Tensor

_AXES = (-2, -1)


def centered_fft(image: Tensor, axes: tuple[int, ...] = _AXES) -> Tensor:
    """Centred orthonormal Fourier transform, over the last two axes or others: white noise keeps its variance."""
    shifted = torch.fft.ifftshift(image, dim=axes)
    return torch.fft.fftshift(torch.fft.fftn(shifted, dim=axes, norm="ortho"), dim=axes)


def centered_ifft(kspace: Tensor, axes: tuple[int, ...] = _AXES) -> Tensor:
    """Inverse, and adjoint, of :func:`centered_fft`."""
    shifted = torch.fft.ifftshift(kspace, dim=axes)
    return torch.fft.fftshift(torch.fft.ifftn(shifted, dim=axes, norm="ortho"), dim=axes)


def central(n: int, n_kept: int) -> slice:
    """The middle of an axis: its centre, index n // 2, becomes the centre of what is kept."""
    start = n // 2 - n_kept // 2
    return slice(start, start + n_kept)


def central_block(array: Tensor, size: tuple[int, int]) -> Tensor:
    """View the middle of the last two axes, shape (..., *size)."""
    rows, columns = (central(n, n_kept) for n, n_kept in zip(array.shape[-2:], size, strict=True))
    return array[..., rows, columns]
