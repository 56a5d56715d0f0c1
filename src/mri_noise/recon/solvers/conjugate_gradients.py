"""Conjugate gradients on the normal equations of an encoding, differentiated through the equations themselves."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mri_noise.arrays import GridImage
from mri_noise.operators.encoding import Encoding
from mri_noise.recon.solvers.solution import Solution, Verdict

_NOT_A_SOLUTION = 1e-3
_TOLERANCES = {torch.complex64: 1e-6, torch.complex128: 1e-12}


def default_tolerance(dtype: torch.dtype) -> float:
    """Return the relative residual that conjugate gradients reach in a complex type."""
    return _TOLERANCES[dtype]


def solve_by_conjugate_gradients(
    encoding: Encoding,
    right_hand_side: GridImage,
    tikhonov: Tensor | float,
    *,
    start: GridImage | None = None,
    tolerance: float | None = None,
    max_iterations: int,
) -> Solution:
    """Solve (A^H A + lambda) x = b for each b of any leading axes.

    The derivative is that of the equations, not of the iterations: the system is self-adjoint, so a gradient g with
    respect to x becomes (A^H A + lambda)^-1 g with respect to b. Neither memory nor accuracy depends on the number of
    iterations, and derivatives of any order exist. The encoding is taken as constant.

    Warns if an x is not a solution after ``max_iterations``: a residual above the tolerance and a thousandth of b.
    The solution's verdict says so too.

    Source: Hestenes 1952, doi:10.6028/jres.049.044.

    Parameters
    ----------
    encoding
        A.
    right_hand_side : shape (*batch, *grid)
        b.
    tikhonov : a number, or shape (*batch, 1, ..., 1)
        lambda, at least 0; a tensor may require a gradient.
    start : shape (*batch, *grid)
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
    stopping = _Stopping(tolerance, max_iterations)
    image, ended = _SolveNormal.apply(encoding, right_hand_side, weight, guess, stopping)
    return Solution(image, ended.residual, ended.n_iterations, ended.verdict)


class _Stopping(NamedTuple):
    tolerance: float
    max_iterations: int


@dataclass(frozen=True, slots=True)
class _Ended:
    """How iterations ended; nothing to torch, which differentiates the image alone."""

    residual: Tensor
    n_iterations: int
    verdict: Verdict


class _SolveNormal(torch.autograd.Function):
    @staticmethod
    def forward(
        encoding: Encoding, b: Tensor, tikhonov: Tensor, start: Tensor | None, stopping: _Stopping
    ) -> tuple[Tensor, _Ended]:
        n_axes = len(encoding.grid)
        return _conjugate_gradients(lambda x: encoding.normal(x).add_(tikhonov * x), b, start, stopping, n_axes)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, _Ended]) -> None:
        encoding, _, tikhonov, _, stopping = inputs
        ctx.save_for_backward(output[0], tikhonov)
        ctx.save_for_forward(output[0], tikhonov)
        ctx.n_axes = len(encoding.grid)
        ctx.solve = partial(solve_by_conjugate_gradients, encoding, **stopping._asdict())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        x, tikhonov = ctx.saved_tensors
        adjoint = ctx.solve(gradients[0], tikhonov).image
        if not ctx.needs_input_grad[2]:
            return None, adjoint, None, None, None
        return None, adjoint, -_inner(adjoint, x, ctx.n_axes).sum_to_size(tikhonov.shape), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor, None]:
        x, tikhonov = ctx.saved_tensors
        _, db, dtikhonov, *_ = tangents
        return ctx.solve(db - dtikhonov * x, tikhonov).image, None


def _conjugate_gradients(
    apply: Callable[[Tensor], Tensor], b: Tensor, start: Tensor | None, stopping: _Stopping, n_axes: int
) -> tuple[Tensor, _Ended]:
    """Iterate until every member of the batch has converged; one that has rests while the others go on."""
    norm = torch.linalg.vector_norm(b, dim=tuple(range(-n_axes, 0)), keepdim=True)
    unit = torch.where(norm == 0, 1, norm)
    x = torch.zeros_like(b) if start is None else start / unit
    residual = b / unit if start is None else b / unit - apply(x)
    direction = residual
    energy = _inner(residual, residual, n_axes)
    n_iterations = 0
    while n_iterations < stopping.max_iterations:
        active = energy > stopping.tolerance**2
        if not bool(active.any()):
            break
        image = apply(direction)
        step = torch.where(active, energy / _inner(direction, image, n_axes), 0)
        x = x + step * direction
        residual = residual - step * image
        previous, energy = energy, _inner(residual, residual, n_axes)
        direction = residual + torch.where(active, energy / previous, 0) * direction
        n_iterations += 1
    ended = _Ended(energy.flatten(-n_axes).squeeze(-1).sqrt(), n_iterations, _verdict(energy, stopping))
    return x * unit, ended


def _inner(a: Tensor, b: Tensor, n_axes: int) -> Tensor:
    """Real inner products over the last axes, which keep a length of 1."""
    products = torch.view_as_real(a) * torch.view_as_real(b)
    return products.sum(tuple(range(-n_axes - 1, 0)))[(..., *n_axes * (None,))]


def _verdict(energy: Tensor, stopping: _Stopping) -> Verdict:
    """Judge the squared residuals of a batch; warn where an image is no solution."""
    if bool((energy <= stopping.tolerance**2).all()):
        return "converged"
    if bool((energy > max(stopping.tolerance, _NOT_A_SOLUTION) ** 2).any()):
        _warn(energy, stopping.max_iterations)
        return "exhausted"
    return "near" if bool(torch.isfinite(energy).all()) else "not finite"


def _warn(energy: Tensor, max_iterations: int) -> None:
    warnings.warn(
        f"conjugate gradients stopped after {max_iterations} iterations at a relative residual of "
        f"{float(energy.max().sqrt()):.1g}, so the image is not the solution; "
        "allow more iterations or a larger Tikhonov weight",
        RuntimeWarning,
        stacklevel=2,
    )
