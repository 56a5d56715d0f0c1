"""Record a network once, then replay its derivative as a linear programme.

A network is a chain of linear maps and a few nonlinear steps. Written with steps of this module, one forward pass
at the operating point records the derivative of each nonlinear step there (gates, statistics, factors); the same
code run again on a perturbation then computes the Jacobian-vector product exactly, for a batch of perturbations at
once and without the nonlinear work. The replayed programme is linear: reverse-mode differentiation through it gives
the adjoint product and keeps no activations.

Forward passes at several points record the mean of each derivative there, which costs a product no more than one of
them does: the gates of a rectifier become the shares of the points at which they are open.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

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


_C = TypeVar("_C", bound="Coefficients")


@dataclass(frozen=True)
class Coefficients:
    """A derivative that is made of tensors, such as gates: those of several points are averaged tensor by tensor.

    The mean derivative is that of the mean tensors where it is linear in them; where it has products of two of them,
    their covariance over the points is left out.

    Attributes
    ----------
    averaged
        Names of those tensors.
    """

    averaged: ClassVar[tuple[str, ...]] = ()

    def plus(self: _C, other: _C) -> _C:
        """Sums of the tensors of two points."""
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in self.averaged})

    def over(self: _C, n: int) -> _C:
        """The tensors over a number."""
        return replace(self, **{name: getattr(self, name) / n for name in self.averaged})


@dataclass(frozen=True, slots=True)
class _Sum:
    """The mean of derivatives that are no :class:`Coefficients`: each is applied."""

    tangents: tuple[Tangent, ...]
    share: float = 1.0

    def __call__(self, *perturbations: Tensor) -> Tensor:
        total = self.tangents[0](*perturbations)
        for tangent in self.tangents[1:]:
            total = total + tangent(*perturbations)
        return total * self.share


def _plus(a: Tangent, b: Tangent) -> Tangent:
    if isinstance(a, Coefficients) and type(a) is type(b):
        return a.plus(b)
    return _Sum(tuple(each for one in (a, b) for each in (one.tangents if isinstance(one, _Sum) else (one,))))


def _over(total: Tangent, n: int) -> Tangent:
    if n == 1:
        return total
    return total.over(n) if isinstance(total, Coefficients) else replace(_summed(total), share=1 / n)


def _summed(total: Tangent) -> _Sum:
    return total if isinstance(total, _Sum) else _Sum((total,))


@dataclass(frozen=True, slots=True)
class _Recorded:
    tangent: Tangent
    input_shapes: tuple[torch.Size, ...]
    output_shape: torch.Size

    def plus(self, other: "_Recorded") -> "_Recorded":
        return replace(self, tangent=_plus(self.tangent, other.tangent))

    def over(self, n: int) -> "_Recorded":
        return replace(self, tangent=_over(self.tangent, n))

    def rounded(self, dtype: torch.dtype) -> "_Recorded":
        if not isinstance(self.tangent, RoundableTangent):
            return self
        return replace(self, tangent=self.tangent.rounded(dtype))


@dataclass(frozen=True, slots=True)
class Tape:
    """The derivatives of the nonlinear steps of forward passes, in order, and whether they have been rounded."""

    entries: list[_Recorded] = field(default_factory=list)
    is_rounded: bool = False

    def add(
        self, derivative: Callable[..., Tangent], inputs: tuple[Tensor, ...], value: Tensor, constants: dict[str, Any]
    ) -> None:
        """Take down a step."""
        tangent = derivative(*inputs, **constants)
        self.entries.append(_Recorded(tangent, tuple(x.shape for x in inputs), value.shape))

    @property
    def depends_on_point(self) -> bool:
        """Whether there is a derivative that may be another one elsewhere."""
        tangents = (entry.tangent for entry in self.entries)
        return any(not isinstance(each, Coefficients) or bool(each.averaged) for each in tangents)

    def rounded(self, dtype: torch.dtype) -> "Tape | None":
        """The same with those derivatives in a lower precision that are :class:`RoundableTangent`; None without any."""
        if not any(isinstance(entry.tangent, RoundableTangent) for entry in self.entries):
            return None
        return Tape([entry.rounded(dtype) for entry in self.entries], is_rounded=True)


@dataclass(slots=True)
class _SeveralPoints:
    """Records the sums of derivatives at the points of a batch, whose shapes at one point another tape tells."""

    at_one: Tape
    entries: list[_Recorded] = field(default_factory=list)

    def add(
        self, derivative: Callable[..., Tangent], inputs: tuple[Tensor, ...], value: Tensor, constants: dict[str, Any]
    ) -> None:
        """Take down a step."""
        if len(self.entries) == len(self.at_one.entries):
            raise ValueError("the function takes other steps at other points; let it take the same ones everywhere")
        known = self.at_one.entries[len(self.entries)]
        separate = [x.reshape(-1, *shape) for x, shape in zip(inputs, known.input_shapes, strict=True)]
        total = derivative(*(x[0] for x in separate), **constants)
        for i in range(1, len(separate[0])):
            total = _plus(total, derivative(*(x[i] for x in separate), **constants))
        self.entries.append(replace(known, tangent=total))


_recording: ContextVar[Tape | _SeveralPoints | None] = ContextVar("recording", default=None)
_replaying: ContextVar[Iterator[_Recorded] | None] = ContextVar("replaying", default=None)
_rounding: ContextVar[bool] = ContextVar("rounding", default=False)


@contextmanager
def record() -> Iterator[Tape]:
    """Record the nonlinear steps that run inside the context."""
    tape = Tape()
    with _recorded_by(tape):
        yield tape


def record_mean(
    function: Callable[[Tensor], Tensor], at_one: Tape, batches: Iterable[Tensor]
) -> tuple[Tape, list[Tensor]]:
    """Record the mean derivatives of a function's steps at the points of some batches, and return its values there.

    Parameters
    ----------
    function
        Of points with one more leading axis.
    at_one
        What was recorded at one point.
    batches : shape (points, ...) each

    Raises
    ------
    ValueError
        If there is no point, or the function takes other steps at them.
    """
    total, values, n = None, [], 0
    for batch in batches:
        several = _SeveralPoints(at_one)
        with torch.no_grad(), _recorded_by(several):
            values.append(function(batch))
        if len(several.entries) != len(at_one.entries):
            raise ValueError("the function takes fewer steps at other points; let it take the same ones everywhere")
        n += len(batch)
        total = several.entries if total is None else [a.plus(b) for a, b in zip(total, several.entries, strict=True)]
    if total is None:
        raise ValueError("a mean derivative is of one point or more, but no batch was given")
    return Tape([entry.over(n) for entry in total]), values


@contextmanager
def _recorded_by(recorder: Tape | _SeveralPoints) -> Iterator[None]:
    token = _recording.set(recorder)
    try:
        yield
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
            tape.add(self._derivative, inputs, value, constants)
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
    return _Product(a, b)


@dataclass(frozen=True)
class _Product(Coefficients):
    averaged: ClassVar[tuple[str, ...]] = ("a", "b")
    a: Tensor
    b: Tensor

    def __call__(self, da: Tensor, db: Tensor) -> Tensor:
        return torch.addcmul(da * self.b, db, self.a)


@Step
def divide(a: Tensor, b: Tensor) -> Tensor:
    """Quotient of two tensors that both depend on the data."""
    return a / b


@divide.derivative
def _(a: Tensor, b: Tensor) -> Tangent:
    inverse = 1 / b
    return _Quotient(inverse, a * inverse * inverse)


@dataclass(frozen=True)
class _Quotient(Coefficients):
    averaged: ClassVar[tuple[str, ...]] = ("inverse", "slope")
    inverse: Tensor
    slope: Tensor

    def __call__(self, da: Tensor, db: Tensor) -> Tensor:
        return da * self.inverse - self.slope * db


@Step
def offset(x: Tensor, *, by: Tensor) -> Tensor:
    """Add a constant, such as a bias: it has no derivative."""
    return x + by


@offset.derivative
def _(x: Tensor, *, by: Tensor) -> Tangent:
    return _Identity()


@dataclass(frozen=True)
class _Identity(Coefficients):
    def __call__(self, dx: Tensor) -> Tensor:
        return dx


@Step
def root_sum_of_squares(x: Tensor, *, dim: int) -> Tensor:
    """Root of the sum of |x|^2 along an axis (kept with length 1)."""
    return torch.linalg.vector_norm(x, dim=dim, keepdim=True)


@root_sum_of_squares.derivative
def _(x: Tensor, *, dim: int) -> Tangent:
    norm = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    direction = torch.where(norm > 0, x.conj() / norm, torch.zeros_like(x))
    return Along(direction, (dim if dim < 0 else dim + 1,))


@dataclass(frozen=True)
class Factor(Coefficients):
    """A product, voxel by voxel: dx -> a dx.

    Attributes
    ----------
    value
        a.
    """

    averaged: ClassVar[tuple[str, ...]] = ("value",)
    value: Tensor

    def __call__(self, dx: Tensor) -> Tensor:
        return dx * self.value


@dataclass(frozen=True)
class Along(Coefficients):
    """The real part of a product, summed along axes, which are kept with length 1: dx -> Re sum d dx.

    Attributes
    ----------
    direction
        d.
    dim
        Those axes of dx, which has one more leading axis.
    """

    averaged: ClassVar[tuple[str, ...]] = ("direction",)
    direction: Tensor
    dim: tuple[int, ...]

    def __call__(self, dx: Tensor) -> Tensor:
        product = dx * self.direction
        return (product.real if product.is_complex() else product).sum(self.dim, keepdim=True)
