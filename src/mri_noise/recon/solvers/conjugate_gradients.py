"""Conjugate gradients on the normal equations of an encoding, differentiated through the equations themselves."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.encoding import Encoding

_AXES = (-2, -1)
_NOT_A_SOLUTION = 1e-3
_TOLERANCES = {torch.complex64: 1e-6, torch.complex128: 1e-12}


def default_tolerance(dtype: torch.dtype) -> float:
    """Return the relative residual that conjugate gradients reach in a complex type."""
    return _TOLERANCES[dtype]


def solve_by_conjugate_gradients(
    encoding: Encoding,
    right_hand_side: Image,
    tikhonov: Tensor | float,
    *,
    start: Image | None = None,
    tolerance: float | None = None,
    max_iterations: int,
) -> Image:
    """Solve (A^H A + lambda) x = b for each b of any leading axes.

    The derivative is that of the equations, not of the iterations: the system is self-adjoint, so a gradient g with
    respect to x becomes (A^H A + lambda)^-1 g with respect to b. Neither memory nor accuracy depends on the number of
    iterations, and derivatives of any order exist. The encoding is taken as constant.

    Warns if an x is not a solution after ``max_iterations``: a residual above the tolerance and a thousandth of b.

    Source: Hestenes 1952, doi:10.6028/jres.049.044.

    Parameters
    ----------
    encoding
        A.
    right_hand_side : shape (*batch, rows, columns)
        b.
    tikhonov : a number, or shape (*batch, 1, 1)
        lambda, at least 0; a tensor may require a gradient.
    start : shape (*batch, rows, columns)
        An image near x, which saves iterations and has no other effect; None: zero.
    tolerance
        Largest residual relative to b; None: what the precision reaches.
    max_iterations
        Largest number of iterations.
    """
    if tolerance is None:
        tolerance = default_tolerance(right_hand_side.dtype)
    weight = torch.as_tensor(tikhonov, dtype=right_hand_side.real.dtype, device=right_hand_side.device)
    guess = None if start is None else start.detach()
    return _SolveNormal.apply(encoding, right_hand_side, weight, guess, _Stopping(tolerance, max_iterations))


class _Stopping(NamedTuple):
    tolerance: float
    max_iterations: int


class _SolveNormal(torch.autograd.Function):
    @staticmethod
    def forward(encoding: Encoding, b: Tensor, tikhonov: Tensor, start: Tensor | None, stopping: _Stopping) -> Tensor:
        return _conjugate_gradients(lambda x: encoding.normal(x).add_(tikhonov * x), b, start, stopping)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        encoding, _, tikhonov, _, stopping = inputs
        ctx.save_for_backward(output, tikhonov)
        ctx.save_for_forward(output, tikhonov)
        ctx.solve = partial(solve_by_conjugate_gradients, encoding, **stopping._asdict())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, tikhonov = ctx.saved_tensors
        adjoint = ctx.solve(gradients[0], tikhonov)
        if not ctx.needs_input_grad[2]:
            return None, adjoint, None, None, None
        return None, adjoint, -_inner(adjoint, x).sum_to_size(tikhonov.shape), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        x, tikhonov = ctx.saved_tensors
        _, db, dtikhonov, *_ = tangents
        return ctx.solve(db - dtikhonov * x, tikhonov)


def _conjugate_gradients(
    apply: Callable[[Tensor], Tensor], b: Tensor, start: Tensor | None, stopping: _Stopping
) -> Tensor:
    """Iterate until every member of the batch has converged; one that has rests while the others go on."""
    norm = torch.linalg.vector_norm(b, dim=_AXES, keepdim=True)
    unit = torch.where(norm == 0, 1, norm)
    x = torch.zeros_like(b) if start is None else start / unit
    residual = b / unit if start is None else b / unit - apply(x)
    direction = residual
    energy = _inner(residual, residual)
    for _ in range(stopping.max_iterations):
        active = energy > stopping.tolerance**2
        if not bool(active.any()):
            break
        image = apply(direction)
        step = torch.where(active, energy / _inner(direction, image), 0)
        x = x + step * direction
        residual = residual - step * image
        previous, energy = energy, _inner(residual, residual)
        direction = residual + torch.where(active, energy / previous, 0) * direction
    _warn_unless_solved(energy, max(stopping.tolerance, _NOT_A_SOLUTION), stopping.max_iterations)
    return x * unit


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (torch.view_as_real(a) * torch.view_as_real(b)).sum((-3, -2, -1))[..., None, None]


def _warn_unless_solved(energy: Tensor, largest: float, max_iterations: int) -> None:
    if bool((energy > largest**2).any()):
        warnings.warn(
            f"conjugate gradients stopped after {max_iterations} iterations at a relative residual of "
            f"{float(energy.max().sqrt()):.1g}, so the image is not the solution; "
            "allow more iterations or a larger Tikhonov weight",
            RuntimeWarning,
            stacklevel=2,
        )
