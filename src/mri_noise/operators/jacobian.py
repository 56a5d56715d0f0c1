"""The Jacobian of a reconstruction as a linear operator."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node, saved_tensors_hooks

from mri_noise.operators.linop import LinearOperator, Shape
from mri_noise.operators.replay import Tape, record, record_mean, replay


class Jacobian(LinearOperator):
    """The derivative of a function at a point, recorded once and applied to many perturbations.

    The forward product replays the recorded linear programme; the adjoint product differentiates that programme in
    reverse from one retained graph. Both take any number of leading axes and work through them in chunks, so that
    memory does not grow with the number of perturbations. A pickled one holds the function, which has to be picklable,
    and what was recorded; one that was traced is traced again where it is loaded.

    Parameters
    ----------
    at : shape (...)
        The operating point.
    value : shape (...)
        The function's value there.
    tangent
        The derivative there, as a linear function of perturbations with one leading axis.
    chunk
        The number of perturbations computed at once.

    Attributes
    ----------
    tried : shape (...), or None
        The product of the perturbation that it was tried with when it was recorded.
    values : shape (points, ...), or None
        The function's values at the points over which the derivative was averaged; None if it was not.
    """

    def __init__(
        self,
        at: Tensor,
        value: Tensor,
        tangent: Callable[[Tensor], Tensor],
        *,
        chunk: int = 8,
        tried: Tensor | None = None,
        values: Tensor | None = None,
    ) -> None:
        if chunk < 1:
            raise ValueError(f"chunk should be at least 1, got {chunk}")
        self.at = at
        self.value = value
        self.chunk = chunk
        self.tried = tried
        self.values = values
        self._tangent = tangent
        self._graph: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of_steps(
        cls,
        function: Callable[[Tensor], Tensor],
        at: Tensor,
        *,
        chunk: int = 8,
        probe: Tensor | None = None,
        around: Iterable[Tensor] | None = None,
    ) -> "Jacobian":
        """Record a function whose nonlinear parts are all steps of :mod:`mri_noise.operators.replay`.

        Parameters
        ----------
        probe : shape (...)
            A perturbation that it is tried with; a random one if none is given.
        around : shape (points, ...) each
            Batches of points over which the derivative of each step is averaged, if it depends on the point; that at
            ``at`` if none are given.

        Raises
        ------
        ValueError
            If the replayed function is not odd: it adds a constant, or has a nonlinear part that is no step.
        """
        with torch.no_grad(), record() as tape:
            value = function(at)
        values = None
        if around is not None and tape.depends_on_point:
            tape, parts = record_mean(function, tape, around)
            values = torch.cat(parts)
        tangent = _Replayed(function, tape)
        tried = _require_odd(tangent, _random(at) if probe is None else probe)
        return cls(at, value, tangent, chunk=chunk, tried=tried, values=values)

    def entered(self, function: Callable[[Tensor], Tensor], at: Tensor, probe: Tensor) -> "Jacobian | None":
        """The derivative of a function that takes the same steps from another kind of input on.

        Parameters
        ----------
        function
        at : shape (...)
            What it is applied to.
        probe : shape (...)
            What becomes there of the perturbation that this derivative was tried with.

        Returns
        -------
        jacobian
            None if this one was not recorded, or makes something else of the perturbation.
        """
        if not isinstance(self._tangent, _Replayed) or self.tried is None:
            return None
        tangent = _Replayed(function, self._tangent.tape)
        with torch.no_grad():
            try:
                found = tangent(probe[None])[0]
            except (RuntimeError, StopIteration):  # other steps, or as many of other shapes
                return None
        if float(torch.linalg.vector_norm(found - self.tried)) > 1e-3 * float(torch.linalg.vector_norm(self.tried)):
            return None
        return Jacobian(at, self.value, tangent, chunk=self.chunk, tried=found)

    @classmethod
    def of_any(cls, function: Callable[[Tensor], Tensor], at: Tensor, *, chunk: int = 8) -> "Jacobian":
        """Trace any function that torch can differentiate (``torch.func.linearize``); slower to set up."""
        value, tangent = _traced(function, at)
        return cls(at, value, tangent, chunk=chunk)

    def in_chunks(self, chunk: int) -> "Jacobian":
        """The same derivative, computing so many perturbations at once."""
        return Jacobian(self.at, self.value, self._tangent, chunk=chunk)

    def rounded(self, dtype: torch.dtype) -> "Jacobian | None":
        """The same derivative with its convolutions in a real type; None if it has none, or was traced."""
        if not isinstance(self._tangent, _Replayed):
            return None
        tangent = self._tangent.rounded(dtype)
        return None if tangent is None else Jacobian(self.at, self.value, tangent, chunk=self.chunk)

    @property
    def in_shape(self) -> Shape:
        return tuple(self.at.shape)

    @property
    def out_shape(self) -> Shape:
        return tuple(self.value.shape)

    def _apply(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, *self.in_shape)
        with torch.no_grad():
            parts = [self._tangent(part) for part in torch.split(flat, self.chunk)]
        return torch.cat(parts).reshape(x.shape[: x.ndim - len(self.in_shape)] + self.out_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        flat = y.reshape(-1, *self.out_shape)
        parts = [self._transposed(part) for part in torch.split(flat, self.chunk)]
        return torch.cat(parts).reshape(y.shape[: y.ndim - len(self.out_shape)] + self.in_shape)

    def _transposed(self, y: Tensor) -> Tensor:
        if self._graph is None or self._graph[0].shape[0] != y.shape[0]:
            self._graph = None
            source = self.at.new_zeros(y.shape[0], *self.in_shape).requires_grad_()
            with torch.enable_grad(), saved_tensors_hooks(_Forgetting(source), _recall):
                self._graph = source, self._tangent(source)
        source, target = self._graph
        (gradient,) = torch.autograd.grad(target, source, y, retain_graph=True)
        return gradient

    def __getstate__(self) -> dict[str, Any]:
        """Pickle all but the retained graph."""
        return {**self.__dict__, "_graph": None}


@dataclass(frozen=True, slots=True)
class _Forgotten:
    """What the adjoint of a linear programme needs of a perturbation: anything but its values."""

    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


class _Forgetting:
    """Keeps constants (weights, gates); of what depends on the perturbation, only the shape."""

    def __init__(self, perturbation: Tensor) -> None:
        self._perturbation = perturbation
        self._dependent: set[Node] = set()

    def __call__(self, saved: Tensor) -> Tensor | _Forgotten:
        if saved.grad_fn is None or not self._depends(saved.grad_fn):
            return saved
        return _Forgotten(saved.shape, saved.stride(), saved.dtype, saved.device)

    def _depends(self, node: Node) -> bool:
        """Search the graph behind a node for the perturbation, or for a node known to depend on it."""
        ahead: list[Node | None] = [node]
        seen = set()
        while ahead:
            current = ahead.pop()
            if current is None or current in seen:
                continue
            if current in self._dependent or getattr(current, "variable", None) is self._perturbation:
                self._dependent.add(node)
                return True
            seen.add(current)
            ahead.extend(following for following, _ in current.next_functions)
        return False


def _recall(saved: Tensor | _Forgotten) -> Tensor:
    if isinstance(saved, Tensor):
        return saved
    return torch.empty_strided(saved.shape, saved.stride, dtype=saved.dtype, device=saved.device)


@dataclass(frozen=True, slots=True)
class _Replayed:
    """The derivative of a function of steps, with the tape that was recorded."""

    function: Callable[[Tensor], Tensor]
    tape: Tape

    def __call__(self, perturbations: Tensor) -> Tensor:
        with replay(self.tape):
            return self.function(perturbations)

    def rounded(self, dtype: torch.dtype) -> "_Replayed | None":
        tape = self.tape.rounded(dtype)
        return None if tape is None else _Replayed(self.function, tape)


@dataclass(frozen=True, slots=True)
class _Traced:
    """The derivative of any function at a point, as torch traced it."""

    function: Callable[[Tensor], Tensor]
    at: Tensor
    linear: Callable[[Tensor], Tensor]

    def __call__(self, perturbations: Tensor) -> Tensor:
        return self.linear(perturbations)

    def __reduce__(self) -> tuple[Any, ...]:
        return _trace_again, (self.function, self.at)


def _traced(function: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Tensor, _Traced]:
    """A function's value and derivative at a point."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torch")  # of torch's own tracer
        value, linear = torch.func.linearize(function, at)
    return value.detach(), _Traced(function, at, torch.func.vmap(linear))


def _trace_again(function: Callable[[Tensor], Tensor], at: Tensor) -> _Traced:
    return _traced(function, at)[1]


def _random(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(0), dtype=like.dtype).to(like.device)


def _require_odd(tangent: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
    """Compare the tangents of v and -v; what a function forgot to make a step shows in their sum. Return that of v."""
    with torch.no_grad():
        plus, minus = tangent(torch.stack([v, -v]))
    if float(torch.linalg.vector_norm(plus + minus)) > 1e-2 * float(torch.linalg.vector_norm(plus)):
        raise ValueError(
            "the reconstruction is not linear when it is replayed: it adds a constant or has a nonlinear part that "
            "is not a step of mri_noise.operators.replay; make it a step, or drop its 'replayable' attribute to have "
            "it traced"
        )
    return plus
