"""The scale of the data that a network works at: divided by before it and multiplied by after it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.replay import Coefficients, Step, Tangent
from mri_noise.recon.blocks.primitives import divide, multiply, root_mean_square

Scale = Literal["rms", "percentile", "none"]
"""What of an image becomes one: its root mean square, the 95th percentile of its magnitude, or nothing."""

_PERCENTILE = 0.95


def at_unit_scale(function: Callable[[Image], Image], image: Image, scale: Scale) -> Image:
    """Apply a function to each image at unit scale and undo the scale: s f(x / s).

    The scale depends on the data, and is differentiated like the rest.
    """
    if scale == "none":
        return function(image)
    size = root_mean_square(image) if scale == "rms" else top_magnitude(image)
    return multiply(function(divide(image, size)), size)


@Step
def top_magnitude(x: Tensor) -> Tensor:
    """The 95th percentile of |x| over rows and columns (kept with length 1), as a tensor of x's type."""
    return torch.take_along_dim(x.abs().flatten(-2), _percentile_index(x), -1)[..., None].to(x.dtype)


@top_magnitude.derivative
def _(x: Tensor) -> Tangent:
    index = _percentile_index(x)
    return _TopMagnitudeTangent(index, torch.sgn(torch.take_along_dim(x.flatten(-2), index, -1)).conj(), 1.0)


@dataclass(frozen=True)
class _TopMagnitudeTangent(Coefficients):
    """dx -> Re sum_k p_k dx_k / n, where voxel k has the percentile at one of n points and p_k is its phase there."""

    averaged: ClassVar[tuple[str, ...]] = ("index", "against_phase")
    index: Tensor
    against_phase: Tensor
    share: float

    def plus(self, other: "_TopMagnitudeTangent") -> "_TopMagnitudeTangent":
        index = torch.cat([self.index, other.index], -1)
        return replace(self, index=index, against_phase=torch.cat([self.against_phase, other.against_phase], -1))

    def over(self, n: int) -> "_TopMagnitudeTangent":
        return replace(self, share=self.share / n)

    def __call__(self, dx: Tensor) -> Tensor:
        selected = torch.take_along_dim(dx.flatten(-2), self.index[None], -1)
        total = (self.against_phase * selected).real.sum(-1, keepdim=True) * self.share
        return total[..., None].to(self.against_phase.dtype)


def _percentile_index(x: Tensor) -> Tensor:
    """Index, shape (*batch, 1), of the pixel of smallest magnitude among the largest 5 %."""
    magnitudes = x.abs().flatten(-2)
    n_larger = max(1, round((1 - _PERCENTILE) * magnitudes.shape[-1]))
    return torch.topk(magnitudes, n_larger, dim=-1).indices[..., -1:]
