"""Mirroring, transposing and cropping of acquisitions, by exact permutations wherever there are any."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from torch import Tensor

from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.operators.point_spread import undersampled_axes
from mri_noise.training.example import Acquisition


def mirrored(acquisition: Acquisition, axis: int) -> Acquisition:
    """Mirror the image at its centre, index n // 2, along an axis: the same permutation mirrors k-space."""
    return _rearranged(acquisition, partial(reflected, axis=axis))


def reflected(x: Tensor, axis: int) -> Tensor:
    """Reflect about index n // 2, periodically: x'[i] = x[(2 (n // 2) - i) mod n].

    The centred Fourier transform of the reflected array is the reflected transform. A plain flip of an even size is
    about n // 2 - 1/2 and would leave a phase ramp on k-space; here the first line stays in its place instead.
    """
    return x.flip(axis).roll(1 - x.shape[axis] % 2, axis)


def transposed(acquisition: Acquisition) -> Acquisition:
    """Swap rows and columns; the phase-encode axes stay what they are, so that masks keep their orientation.

    Only for acquisitions that are fully sampled or have two phase-encode axes.
    """
    return _rearranged(acquisition, lambda array: array.mT)


def cropped(acquisition: Acquisition, starts: tuple[int, int], size: tuple[int, int]) -> Acquisition:
    """Narrow the field of view; white noise stays white and keeps its level.

    Only along axes along which the mask does not vary; along the others ``size`` has to be the whole.
    """
    for axis, start, n in zip((-2, -1), starts, size, strict=True):
        if n < acquisition.mask.shape[axis]:
            acquisition = _cropped(acquisition, axis, start, n)
    return acquisition


def croppable_axes(acquisition: Acquisition) -> tuple[int, ...]:
    """The axes along which the field of view can be narrowed: those along which the mask does not vary."""
    varying = undersampled_axes(acquisition.mask)
    return tuple(axis for axis in (-2, -1) if axis not in varying)


def _rearranged(acquisition: Acquisition, permute: Callable[[Tensor], Tensor]) -> Acquisition:
    return replace(
        acquisition,
        kspace=permute(acquisition.kspace),
        mask=permute(acquisition.mask),
        coil_maps=permute(acquisition.coil_maps),
    )


def _cropped(acquisition: Acquisition, axis: int, start: int, n: int) -> Acquisition:
    images = centered_ifft(acquisition.kspace, (axis,)).narrow(axis, start, n)
    return replace(
        acquisition,
        kspace=centered_fft(images, (axis,)),
        mask=acquisition.mask.narrow(axis, 0, n),
        coil_maps=acquisition.coil_maps.narrow(axis, start, n),
    )


def has_gaps(acquisition: Acquisition) -> bool:
    """Whether an unsampled point of k-space lies between sampled ones of its row or of its column.

    Gaps alias, so that the image is unknown. Missing edges (partial Fourier, zero-filled corners) only blur it.
    """
    return any(bool((_filled(acquisition.mask, axis) != acquisition.mask).any()) for axis in (0, 1))


def _filled(mask: Tensor, axis: int) -> Tensor:
    """Sampled, or between sampled points along an axis."""
    counts = mask.int()
    before, after = counts.cummax(axis).values, counts.flip(axis).cummax(axis).values.flip(axis)
    return (before & after).bool()
