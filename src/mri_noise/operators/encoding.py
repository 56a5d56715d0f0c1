"""The encoding of an image in multi-coil k-space: A = Sampling @ CenteredFFT @ Sensitivities."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from mri_noise.arrays import CoilMaps, Image, KSpace, Mask, RealMap
from mri_noise.operators.linop import LinearOperator, Shape

_AXES = (-2, -1)
_LINES_AT_ONCE = 4
_LARGEST_INVERSES = 2**29
"""Memory that they may take [bytes]."""
_WELL_POSED = 1e-2
"""Smallest weight with which lines are inverted in the precision of the maps; the error of single precision is then
below 1e-5. Double precision takes more than twice as long."""


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


@dataclass(frozen=True, eq=False)
class CenteredFFT(LinearOperator):
    """Centred orthonormal 2-D Fourier transform of arrays of one shape."""

    shape: Shape

    @property
    def in_shape(self) -> Shape:
        return self.shape

    @property
    def out_shape(self) -> Shape:
        return self.shape

    def _apply(self, x: Tensor) -> Tensor:
        return centered_fft(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return centered_ifft(y)


@dataclass(frozen=True, eq=False)
class Sensitivities(LinearOperator):
    """Coil images of an image: x -> S_c x, shape (rows, columns) -> (coils, rows, columns)."""

    coil_maps: CoilMaps

    @property
    def in_shape(self) -> Shape:
        return tuple(self.coil_maps.shape[1:])

    @property
    def out_shape(self) -> Shape:
        return tuple(self.coil_maps.shape)

    def _apply(self, x: Tensor) -> Tensor:
        return self.coil_maps * x.unsqueeze(-3)

    def _adjoint(self, y: Tensor) -> Tensor:
        return torch.einsum("crk,...crk->...rk", self.coil_maps.conj(), y)


@dataclass(frozen=True, eq=False)
class Sampling(LinearOperator):
    """Keep the sampled points of k-space and set the others to zero: an orthogonal projection."""

    mask: Mask
    n_coils: int

    @property
    def in_shape(self) -> Shape:
        return (self.n_coils, *self.mask.shape)

    @property
    def out_shape(self) -> Shape:
        return self.in_shape

    def _apply(self, x: Tensor) -> Tensor:
        return x * self.mask

    def _adjoint(self, y: Tensor) -> Tensor:
        return y * self.mask


@dataclass(frozen=True, eq=False)
class Sense(LinearOperator):
    """The encoding of one slice: A x = M F S x.

    Source: Pruessmann 1999, doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S.

    Parameters
    ----------
    coil_maps : shape (coils, rows, columns)
    mask : shape (rows, columns)

    Raises
    ------
    ValueError
        If mask and maps are not of the same image shape.
    """

    coil_maps: CoilMaps
    mask: Mask

    def __post_init__(self) -> None:
        if self.mask.shape != self.coil_maps.shape[1:]:
            raise ValueError(
                f"the mask is {tuple(self.mask.shape)} but the coil maps are {tuple(self.coil_maps.shape[1:])}; "
                "make both of the k-space's rows and columns"
            )

    @cached_property
    def expression(self) -> LinearOperator:
        """The operator as the product of its parts."""
        n_coils = self.coil_maps.shape[0]
        fourier = CenteredFFT(tuple(self.coil_maps.shape))
        return Sampling(self.mask, n_coils) @ fourier @ Sensitivities(self.coil_maps)

    @property
    def in_shape(self) -> Shape:
        return tuple(self.mask.shape)

    @property
    def out_shape(self) -> Shape:
        return tuple(self.coil_maps.shape)

    def _apply(self, x: Image) -> KSpace:
        return self.expression(x)

    def _adjoint(self, y: KSpace) -> Image:
        return self.expression.adjoint(y)

    @cached_property
    def coil_power(self) -> RealMap:
        """Sum of squares of the coil maps, sum_c |S_c|^2."""
        return self.coil_maps.abs().square().sum(0)

    def normal(self, x: Image) -> Image:
        """Apply A^H A.

        The transform is taken along the axes that the mask varies along (along the others it cancels with its
        inverse), and its shifts are taken from the coils to the single image.
        """
        maps, mask = self._uncentred
        axes = self.undersampled_axes
        coil_images = maps * torch.fft.ifftshift(x, dim=_AXES).unsqueeze(-3)
        kspace = torch.fft.fftn(coil_images, dim=axes) if axes else coil_images
        filtered = torch.fft.ifftn(kspace * mask, dim=axes) if axes else kspace * mask
        return torch.fft.fftshift(torch.einsum("crk,...crk->...rk", maps.conj(), filtered), dim=_AXES)

    def line_inverse(self, tikhonov: float) -> Complex[Tensor, "lines n n"]:
        """(A^H A + lambda)^-1 as one matrix for each line across the undersampled axis, kept for the latest lambda.

        Along the fully sampled axis the lines are independent of each other.

        Raises
        ------
        ValueError
            If the mask varies along both axes, or lambda is not positive.
        """
        if tikhonov not in self._inverses:
            self._inverses.clear()
            self._inverses[tikhonov] = torch.cat(list(self.line_inverses(tikhonov)))
        return self._inverses[tikhonov]

    def line_inverses(self, tikhonov: float) -> Iterator[Complex[Tensor, "some n n"]]:
        """The matrices of :meth:`line_inverse` for some lines at a time, not kept; raises as it does."""
        if len(self.undersampled_axes) > 1 or tikhonov <= 0:
            raise ValueError(
                f"a matrix for each line needs a mask that varies along one axis and a positive weight, "
                f"got one that varies along {len(self.undersampled_axes)} and {tikhonov:g}; use solve_normal"
            )
        across_rows = self.undersampled_axes == (-2,)
        mask, maps = (self.mask.mT, self.coil_maps.mT) if across_rows else (self.mask, self.coil_maps)
        spread = point_spread(mask[0]).to(maps.dtype if tikhonov >= _WELL_POSED else torch.complex128)
        weight = tikhonov * torch.eye(mask.shape[1], dtype=spread.dtype, device=spread.device)
        for lines in torch.split(maps.to(spread.dtype).permute(1, 0, 2), _LINES_AT_ONCE):
            factor = torch.linalg.cholesky(spread * (lines.mH @ lines) + weight)
            yield torch.cholesky_inverse(factor).to(self.coil_maps.dtype)

    def has_line_inverse(self, tikhonov: float) -> bool:
        """Whether :meth:`line_inverse` exists, and takes half a gigabyte at most."""
        n_bytes = self.mask.numel() * max(self.mask.shape) * self.coil_maps.element_size()
        return len(self.undersampled_axes) < 2 and n_bytes <= _LARGEST_INVERSES and tikhonov > 0

    def solve_lines(self, right_hand_side: Image, tikhonov: float) -> Image:
        """Multiply each line of each b, shape (*batch, rows, columns), with the inverse of its own system."""
        across_rows = self.undersampled_axes == (-2,)
        oriented = right_hand_side.mT if across_rows else right_hand_side
        lines = oriented.reshape(-1, *oriented.shape[-2:]).permute(1, 2, 0)
        solved = (self.line_inverse(tikhonov) @ lines).permute(2, 0, 1).reshape(oriented.shape)
        return solved.mT if across_rows else solved

    @cached_property
    def _inverses(self) -> dict[float, Tensor]:
        return {}

    @cached_property
    def undersampled_axes(self) -> tuple[int, ...]:
        """The axes along which the mask varies: -2 for rows, -1 for columns."""
        return undersampled_axes(self.mask)

    @cached_property
    def _uncentred(self) -> tuple[CoilMaps, Mask]:
        """Maps and mask with the origin first."""
        return torch.fft.ifftshift(self.coil_maps, dim=_AXES), torch.fft.ifftshift(self.mask, dim=_AXES)


def undersampled_axes(mask: Mask) -> tuple[int, ...]:
    """The axes along which a mask varies: -2 for rows, -1 for columns."""
    varies = {-2: bool((mask != mask[:1]).any()), -1: bool((mask != mask[:, :1]).any())}
    return tuple(axis for axis in _AXES if varies[axis])


def sampled_block(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle of k-space that holds all sampled points."""
    rows, columns = (torch.nonzero(mask.any(axis)).flatten().tolist() for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def without_gaps(mask: Mask) -> bool:
    """Whether the sampled points of every row, and of every column, follow each other: nothing aliases then.

    So it is where k-space is sampled completely, in part (padded with zeros, partial Fourier, asymmetric echo) or
    within an ellipse, and not where points between others are left out.
    """
    return all(_begins_once(lines) for lines in (mask, mask.mT))


def _begins_once(lines: Mask) -> bool:
    """Whether no row has more than one run of sampled points."""
    begins = lines & ~torch.nn.functional.pad(lines, (1, 0))[:, :-1]
    return bool((begins.sum(1) <= 1).all())


def point_spread(lines: Bool[Tensor, " n"]) -> Complex[Tensor, "n n"]:
    """F^H M F of the centred orthonormal transform along one axis and a mask of its lines, complex128."""
    identity = torch.eye(len(lines), dtype=torch.complex128, device=lines.device)
    fourier = centered_fft(identity, (0,))
    return fourier[lines].mH @ fourier[lines]
