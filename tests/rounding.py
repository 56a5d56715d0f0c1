"""Derivatives computed with numbers of few bits, emulated in single precision: the same on every processor.

Of a number of b bits the nearest one is at most 2^-b of it away, 2^-8 in bfloat16. Where a convolution adds up in
single precision, as a processor that has bfloat16 does, its operands and its result are rounded, and nothing else:
that is emulated here, exactly. How far a product is then off follows from the network's own recorded steps.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.replay import RoundableTangent, Tangent, Tape, record, replay

BITS = 8
"""Of bfloat16, the leading one included."""


def nearest(x: Tensor, bits: int) -> Tensor:
    """Round real numbers to so many bits, ties to even."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp(torch.round(mantissa * 2**bits) / 2**bits, exponent)


def emulated(function: Callable[[Tensor], Tensor], at: Tensor, bits: int) -> Jacobian:
    """The derivative of a function of steps, all of whose roundable ones work with numbers of so many bits."""
    with torch.no_grad(), record() as tape:
        value = function(at)
    entries = [
        replace(entry, tangent=_in_few_bits(entry.tangent, bits))
        if isinstance(entry.tangent, RoundableTangent)
        else entry
        for entry in tape.entries
    ]

    def tangent(perturbations: Tensor) -> Tensor:
        with replay(Tape(entries, is_rounded=True)):
            return function(perturbations)

    return Jacobian(at, value, tangent)


def most_by_accumulation(function: Callable[[Tensor], Tensor], at: Tensor) -> float:
    """How many times as far off as emulated a product may be where convolutions add up in bfloat16 too.

    Torch's own convolutions, used where oneDNN has none in bfloat16, round each of the n results of a kernel's
    elements, and each sum of the first j of them when they overlap. The variance of such a sum is j/n that of the
    result, and so is that of its rounding; all of these together are 1 + sum_{j=2}^n j/n = 1 + (n + 1)/2 - 1/n
    roundings of a result. If every rounding of a network were one of those of its largest kernel, the error would be
    the root of that times as large.
    """
    with torch.no_grad(), record() as tape:
        function(at)
    weights = [getattr(entry.tangent, "weight", None) for entry in tape.entries]
    n = max(weight.shape[-2] * weight.shape[-1] for weight in weights if weight is not None)
    return sqrt(1 + (n + 1) / 2 - 1 / n)


def off(found: Image, expected: Image) -> float:
    """Relative difference."""
    return float(torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected))


def _in_few_bits(tangent: Any, bits: int) -> Tangent:
    """A derivative whose input, constants of lower precision, and result have so many bits."""
    lower = tangent.rounded(torch.bfloat16)
    names = [
        each.name for each in fields(tangent) if getattr(getattr(lower, each.name), "dtype", None) == torch.bfloat16
    ]
    constants = {name: nearest(getattr(tangent, name).float(), bits) for name in names}
    exact = replace(tangent, **constants)
    return lambda dx: _Nearest.apply(exact(_Nearest.apply(dx.float(), bits)), bits)


class _Nearest(torch.autograd.Function):
    """Rounds in both directions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bits: int) -> Tensor:
        ctx.bits = bits
        return nearest(x, bits)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return nearest(gradients[0], ctx.bits), None
