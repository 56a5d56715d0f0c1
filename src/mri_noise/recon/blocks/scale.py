"""The scale of the data that a network works at: divided by before it and multiplied by after it."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.replay import Step, Tangent
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
    phase = torch.sgn(torch.take_along_dim(x.flatten(-2), index, -1))

    def tangent(dx: Tensor) -> Tensor:
        selected = torch.take_along_dim(dx.flatten(-2), index[None], -1)
        return (phase.conj() * selected).real[..., None].to(x.dtype)

    return tangent


def _percentile_index(x: Tensor) -> Tensor:
    """Index, shape (*batch, 1), of the pixel of smallest magnitude among the largest 5 %."""
    magnitudes = x.abs().flatten(-2)
    n_larger = max(1, round((1 - _PERCENTILE) * magnitudes.shape[-1]))
    return torch.topk(magnitudes, n_larger, dim=-1).indices[..., -1:]
