"""Linear operators: what they state, and how they compose.

An operator states ``in_shape``, ``out_shape``, ``_apply`` and ``_adjoint``; both act on the trailing axes and on any
number of leading ones. Some operators are real-linear only (a Jacobian of a network: J(iv) is not iJv), so adjoints
are with respect to the real inner product Re<a, b>, which for a complex-linear operator is the usual adjoint.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

Shape = tuple[int, ...]


class LinearOperator(ABC):
    """A real-linear map between complex arrays of fixed shapes."""

    @property
    @abstractmethod
    def in_shape(self) -> Shape:
        """Shape of the arrays that the operator takes, without leading axes."""

    @property
    @abstractmethod
    def out_shape(self) -> Shape:
        """Shape of the arrays that the operator gives, without leading axes."""

    @abstractmethod
    def _apply(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _adjoint(self, y: Tensor) -> Tensor: ...

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the operator to an array of ``in_shape``, with any leading axes."""
        _check(self, x, self.in_shape)
        return self._apply(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the real adjoint to an array of ``out_shape``, with any leading axes."""
        _check(self, y, self.out_shape)
        return self._adjoint(y)

    @property
    def H(self) -> "LinearOperator":
        """The adjoint operator."""
        return Adjoint(self)

    def __matmul__(self, other: "LinearOperator") -> "LinearOperator":
        """Compose: ``(A @ B)(x) = A(B(x))``."""
        return Compose(self, other)


def _check(operator: LinearOperator, x: Tensor, expected: Shape) -> None:
    if tuple(x.shape[x.ndim - len(expected) :]) != expected or x.ndim < len(expected):
        raise ValueError(f"{type(operator).__name__} takes arrays whose last axes are {expected}, got {tuple(x.shape)}")


@dataclass(frozen=True, eq=False)
class Adjoint(LinearOperator):
    """The real adjoint of an operator."""

    operator: LinearOperator

    @property
    def in_shape(self) -> Shape:
        return self.operator.out_shape

    @property
    def out_shape(self) -> Shape:
        return self.operator.in_shape

    def _apply(self, x: Tensor) -> Tensor:
        return self.operator.adjoint(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.operator(y)

    @property
    def H(self) -> LinearOperator:
        """The operator itself."""
        return self.operator


@dataclass(frozen=True, eq=False)
class Compose(LinearOperator):
    """``outer(inner(x))``."""

    outer: LinearOperator
    inner: LinearOperator

    def __post_init__(self) -> None:
        if self.outer.in_shape != self.inner.out_shape:
            raise ValueError(
                f"cannot compose {type(self.outer).__name__}, which takes {self.outer.in_shape}, with "
                f"{type(self.inner).__name__}, which gives {self.inner.out_shape}"
            )

    @property
    def in_shape(self) -> Shape:
        return self.inner.in_shape

    @property
    def out_shape(self) -> Shape:
        return self.outer.out_shape

    def _apply(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.inner.adjoint(self.outer.adjoint(y))


def dot_test(
    operator: LinearOperator,
    generator: torch.Generator,
    *,
    dtype: torch.dtype = torch.complex128,
    device: torch.device | str = "cpu",
) -> float:
    """Measure how far ``adjoint`` is from the real adjoint, on the device and in the type that the operator works in.

    Returns ``|Re<u, A v> - Re<A^T u, v>| / (|u| |A v|)`` for random complex u and v: a few machine epsilons for a
    correct pair, of order one for a wrong one.
    """
    v = torch.randn(operator.in_shape, generator=generator, dtype=dtype).to(device)
    u = torch.randn(operator.out_shape, generator=generator, dtype=dtype).to(device)
    forward, backward = operator(v), operator.adjoint(u)
    left = torch.sum(u.conj() * forward).real
    right = torch.sum(backward.conj() * v).real
    return float((left - right).abs() / (torch.linalg.vector_norm(u) * torch.linalg.vector_norm(forward)))
