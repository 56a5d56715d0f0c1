"""The Cartesian encoding of an image in multi-coil k-space: A = Sampling @ CenteredFFT @ Sensitivities."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from mri_noise.arrays import CoilMaps, Image, KSpace, Mask, RealMap
from mri_noise.operators.encoding import Encoding
from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.operators.lines import LineSolver
from mri_noise.operators.linop import LinearOperator, Shape
from mri_noise.operators.point_spread import PointSpread, undersampled_axes
from mri_noise.pickling import fields_alone

_AXES = (-2, -1)


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
class CartesianEncoding(Encoding):
    """What a network that needs coil maps, or samples on a grid, asks of an encoding.

    Parameters
    ----------
    coil_maps : shape (*slices, coils, rows, columns)
    mask : shape (*slices, rows, columns)
    """

    coil_maps: Complex[Tensor, "*slices coils rows columns"]
    mask: Bool[Tensor, "*slices rows columns"]

    __getstate__ = fields_alone

    @property
    def grid(self) -> Shape:
        return tuple(self.mask.shape[-2:])

    @property
    def in_shape(self) -> Shape:
        return tuple(self.mask.shape)

    @property
    def out_shape(self) -> Shape:
        return tuple(self.coil_maps.shape)

    @property
    def sampled(self) -> Bool[Tensor, "*slices rows columns"]:
        return self.mask


def require_cartesian(encoding: Encoding, asking: str) -> CartesianEncoding:
    """Return an encoding that is Cartesian.

    Raises
    ------
    TypeError
        If it is not; the sentence begins with who is asking.
    """
    if not isinstance(encoding, CartesianEncoding):
        raise TypeError(
            f"{asking} needs samples on a Cartesian grid, got {type(encoding).__name__}; "
            "choose a reconstruction that asks for the encoding alone, such as cg-sense"
        )
    return encoding


@final
@dataclass(frozen=True, eq=False)
class Sense(CartesianEncoding):
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

    @cached_property
    def lines(self) -> LineSolver | None:
        """What inverts A^H A + lambda line by line; None where the mask varies along both axes."""
        if len(self.undersampled_axes) > 1:
            return None
        turned = self.undersampled_axes == (-2,)
        maps, mask = (self.coil_maps.mT, self.mask.mT) if turned else (self.coil_maps, self.mask)
        return LineSolver(maps, mask[0], turned)

    @cached_property
    def point_spread(self) -> PointSpread:
        """A^H A as a convolution of coil images."""
        return PointSpread(self.coil_maps, self.mask)

    @cached_property
    def undersampled_axes(self) -> tuple[int, ...]:
        """The axes along which the mask varies: -2 for rows, -1 for columns."""
        return undersampled_axes(self.mask)

    @cached_property
    def _uncentred(self) -> tuple[CoilMaps, Mask]:
        """Maps and mask with the origin first."""
        return torch.fft.ifftshift(self.coil_maps, dim=_AXES), torch.fft.ifftshift(self.mask, dim=_AXES)
