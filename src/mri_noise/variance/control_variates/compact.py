"""Complex numbers of which many are kept: those of single precision in half the memory."""

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor


def packed(values: Complex[Tensor, "*shape"] | Float[Tensor, "*shape"]) -> Tensor:
    """Real and imaginary parts along a last axis, if there are any; single precision is rounded to bfloat16.

    That keeps the range and three digits: nothing beside the spread of samples.
    """
    parts = torch.view_as_real(values) if values.is_complex() else values
    return parts.to(packed_dtype(parts.dtype), copy=True)


def packed_dtype(dtype: torch.dtype) -> torch.dtype:
    """Type of the parts of numbers of a type, complex or real."""
    real = dtype.to_real()
    return torch.bfloat16 if real == torch.float32 else real


def unpacked(parts: Tensor, dtype: torch.dtype) -> Tensor:
    """The numbers again, complex or real as their type is."""
    if not dtype.is_complex:
        return parts.to(dtype)
    return torch.view_as_complex(parts.to(dtype.to_real()).contiguous())


def picked(
    parts: Float[Tensor, "*batch places 2"], places: Int[Tensor, " some"], dtype: torch.dtype
) -> Complex[Tensor, "*batch some"]:
    """Some of the complex numbers again; each is moved as one word, which is several times quicker than its parts."""
    word = torch.int32 if parts.dtype == torch.bfloat16 else parts.dtype.to_complex()
    chosen = parts.view(word)[..., 0].index_select(-1, places)
    return unpacked(chosen[..., None].view(parts.dtype), dtype)
