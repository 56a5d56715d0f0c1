"""Record a network once, then replay its derivative as a linear programme.

A network is a chain of linear maps and a few nonlinear steps. Written with steps of this module, one forward pass
at the operating point records the derivative of each nonlinear step there (gates, statistics, factors); the same
code run again on a perturbation then computes the Jacobian-vector product exactly, for a batch of perturbations at
once and without the nonlinear work. The replayed programme is linear: reverse-mode differentiation through it gives
the adjoint product and keeps no activations.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

Tangent = Callable[..., Tensor]
"""The derivative of a step: takes one perturbation for each input, each with one more leading axis, the probes."""


@runtime_checkable
class RoundableTangent(Protocol):
    """A derivative that can be computed in a lower precision."""

    def rounded(self, dtype: torch.dtype) -> Tangent:
        """The same with what it recorded, and its results, in a real type."""
        ...


@dataclass(frozen=True, slots=True)
class _Recorded:
    tangent: Tangent
    input_shapes: tuple[torch.Size, ...]
    output_shape: torch.Size

    def rounded(self, dtype: torch.dtype) -> "_Recorded":
        if not isinstance(self.tangent, RoundableTangent):
            return self
        return replace(self, tangent=self.tangent.rounded(dtype))


@dataclass(frozen=True, slots=True)
class Tape:
    """The derivatives of the nonlinear steps of one forward pass, in order, and whether they have been rounded."""

    entries: list[_Recorded] = field(default_factory=list)
    is_rounded: bool = False

    def rounded(self, dtype: torch.dtype) -> "Tape | None":
        """The same with those derivatives in a lower precision that are :class:`RoundableTangent`; None without any."""
        if not any(isinstance(entry.tangent, RoundableTangent) for entry in self.entries):
            return None
        return Tape([entry.rounded(dtype) for entry in self.entries], is_rounded=True)


_recording: ContextVar[Tape | None] = ContextVar("recording", default=None)
_replaying: ContextVar[Iterator[_Recorded] | None] = ContextVar("replaying", default=None)
_rounding: ContextVar[bool] = ContextVar("rounding", default=False)


@contextmanager
def record() -> Iterator[Tape]:
    """Record the nonlinear steps that run inside the context."""
    tape = Tape()
    token = _recording.set(tape)
    try:
        yield tape
    finally:
        _recording.reset(token)


@contextmanager
def replay(tape: Tape) -> Iterator[None]:
    """Replace the nonlinear steps that run inside the context by their recorded derivatives."""
    replaying, rounding = _replaying.set(iter(tape.entries)), _rounding.set(tape.is_rounded)
    try:
        yield
    finally:
        _rounding.reset(rounding)
        _replaying.reset(replaying)


@contextmanager
def constant() -> Iterator[None]:
    """Compute what does not depend on the data: steps inside are neither recorded nor replaced by their derivatives."""
    recording, replaying = _recording.set(None), _replaying.set(None)
    try:
        yield
    finally:
        _replaying.reset(replaying)
        _recording.reset(recording)


def in_lower_precision() -> bool:
    """Whether what runs now is a derivative that was rounded."""
    return _rounding.get()


class Step:
    """A nonlinear step of a network, and its derivative.

    Positional arguments are the tensors that are perturbed; keyword arguments are constants. Used as a decorator of
    the value, then ``.derivative`` as a decorator of the function that, given the same arguments, returns the tangent.
    """

    def __init__(self, value: Callable[..., Tensor]) -> None:
        self._value = value
        self._derivative: Callable[..., Tangent] | None = None
        self.__doc__ = value.__doc__

    def derivative(self, function: Callable[..., Tangent]) -> Callable[..., Tangent]:
        """Register the derivative."""
        self._derivative = function
        return function

    def __call__(self, *inputs: Tensor, **constants: Any) -> Tensor:
        """Compute the value; or, inside :func:`replay`, the derivative applied to perturbations of the inputs."""
        entries = _replaying.get()
        if entries is not None:
            return _apply(next(entries), inputs)
        value = self._value(*inputs, **constants)
        tape = _recording.get()
        if tape is not None:
            if self._derivative is None:
                raise TypeError(f"step '{self._value.__name__}' has no derivative; register one with .derivative")
            tangent = self._derivative(*inputs, **constants)
            tape.entries.append(_Recorded(tangent, tuple(x.shape for x in inputs), value.shape))
        return value


def _apply(entry: _Recorded, perturbations: tuple[Tensor, ...]) -> Tensor:
    """Apply a recorded derivative; probes are a new leading axis, or folded into an existing one."""
    folded = perturbations[0].ndim == len(entry.input_shapes[0])
    separate = [d.reshape(-1, *shape) for d, shape in zip(perturbations, entry.input_shapes, strict=True)]
    result = entry.tangent(*separate)
    return result.reshape(-1, *entry.output_shape[1:]) if folded else result


@Step
def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Product of two tensors that both depend on the data."""
    return a * b


@multiply.derivative
def _(a: Tensor, b: Tensor) -> Tangent:
    return lambda da, db: torch.addcmul(da * b, db, a)


@Step
def divide(a: Tensor, b: Tensor) -> Tensor:
    """Quotient of two tensors that both depend on the data."""
    return a / b


@divide.derivative
def _(a: Tensor, b: Tensor) -> Tangent:
    inverse = 1 / b
    quotient = a * inverse
    return lambda da, db: (da - quotient * db) * inverse


@Step
def offset(x: Tensor, *, by: Tensor) -> Tensor:
    """Add a constant, such as a bias: it has no derivative."""
    return x + by


@offset.derivative
def _(x: Tensor, *, by: Tensor) -> Tangent:
    return lambda dx: dx


@Step
def root_sum_of_squares(x: Tensor, *, dim: int) -> Tensor:
    """Root of the sum of |x|^2 along an axis (kept with length 1)."""
    return torch.linalg.vector_norm(x, dim=dim, keepdim=True)


@root_sum_of_squares.derivative
def _(x: Tensor, *, dim: int) -> Tangent:
    norm = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    direction = torch.where(norm > 0, x.conj() / norm, torch.zeros_like(x))
    axis = dim if dim < 0 else dim + 1
    return lambda dx: (
        (dx * direction).real.sum(axis, keepdim=True) if dx.is_complex() else (dx * direction).sum(axis, keepdim=True)
    )
