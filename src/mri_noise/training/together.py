"""Several examples of the same matrix that pass through a network at once, which keeps a GPU busy."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Complex
from torch import Tensor
from torch.nn import functional as F

from mri_noise.operators.cartesian import CartesianEncoding
from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.example import Example

_AXES = (-2, -1)


@final
@dataclass(frozen=True, eq=False)
class SenseOfEach(CartesianEncoding):
    """The encodings of several slices side by side: x_i -> M_i F S_i x_i.

    Their masks may vary along different axes, so that it has no lines.

    Parameters
    ----------
    coil_maps : shape (slices, coils, rows, columns)
    mask : shape (slices, rows, columns)
    """

    coil_maps: Complex[Tensor, "slices coils rows columns"]
    mask: Bool[Tensor, "slices rows columns"]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "SenseOfEach":
        """Stack the encodings of examples of one matrix, whose missing coils see nothing."""
        n_coils = max(len(example.coil_maps) for example in examples)
        maps = [with_empty_coils(example.coil_maps, n_coils) for example in examples]
        return cls(torch.stack(maps), torch.stack([example.mask for example in examples]))

    def _apply(self, x: Tensor) -> Tensor:
        return centered_fft(self.coil_maps * x.unsqueeze(-3)) * self.mask.unsqueeze(-3)

    def _adjoint(self, y: Tensor) -> Tensor:
        return (self.coil_maps.conj() * centered_ifft(y * self.mask.unsqueeze(-3))).sum(-3)

    def normal(self, x: Tensor) -> Tensor:
        maps, mask = self._from_origin
        kspace = torch.fft.fftn(maps * torch.fft.ifftshift(x, dim=_AXES).unsqueeze(-3), dim=_AXES)
        filtered = torch.fft.ifftn(kspace * mask, dim=_AXES)
        return torch.fft.fftshift((maps.conj() * filtered).sum(-3), dim=_AXES)

    @cached_property
    def _from_origin(self) -> tuple[Tensor, Tensor]:
        """Maps and mask, the latter of one coil, with the origin first."""
        mask = self.mask.unsqueeze(-3)
        return torch.fft.ifftshift(self.coil_maps, dim=_AXES), torch.fft.ifftshift(mask, dim=_AXES)

    @cached_property
    def coil_power(self) -> Tensor:
        return self.coil_maps.abs().square().sum(-3)


def with_empty_coils(coils: Tensor, n_coils: int) -> Tensor:
    """Add coils of zeros, shape (coils, rows, columns) -> (n_coils, rows, columns)."""
    return F.pad(coils, (0, 0, 0, 0, 0, n_coils - len(coils)))


def reconstruct_each(network: Reconstructor, examples: Sequence[Example]) -> list[Tensor]:
    """Apply a network to each example, to those of one matrix at once.

    What it returns for each is the same as for the example alone, but for rounding, and for the empty coils of
    k-space that it may predict.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, example in enumerate(examples):
        alike.setdefault(tuple(example.mask.shape), []).append(index)
    results: dict[int, Tensor] = {}
    for members in alike.values():
        results |= zip(members, _at_once(network, [examples[index] for index in members]), strict=True)
    return [results[index] for index in range(len(examples))]


def _at_once(network: Reconstructor, examples: Sequence[Example]) -> Sequence[Tensor]:
    if len(examples) == 1:
        return [network(examples[0].kspace, examples[0].encoding)]
    encoding = SenseOfEach.of(examples)
    n_coils = encoding.coil_maps.shape[1]
    kspace = torch.stack([with_empty_coils(example.kspace, n_coils) for example in examples])
    return network(kspace, encoding).unbind(0)
