import warnings

import pytest
import torch

from mri_noise.operators.jacobian import Jacobian
from tests.cases import SHAPES, _nonlinear, _point

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def _random(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)


@every_shape
@pytest.mark.parametrize("make", [Jacobian.of_steps, Jacobian.of_any])
def test_jacobian_is_the_derivative(make: object, shape: tuple[int, int, int]) -> None:
    y, v, u = _point(shape), _random((5, *shape), 1), _random((5, *shape[1:]), 2)
    jacobian = make(_nonlinear, y, chunk=2)  # type: ignore[operator]
    torch.testing.assert_close(jacobian.value, _nonlinear(y))
    forward = [torch.func.jvp(_nonlinear, (y,), (one,))[1] for one in v]
    torch.testing.assert_close(jacobian(v), torch.stack(forward))
    backward = [torch.func.vjp(_nonlinear, y)[1](one)[0] for one in u]
    torch.testing.assert_close(jacobian.adjoint(u), torch.stack(backward))


def test_jacobian_is_not_complex_linear() -> None:
    jacobian = Jacobian.of_steps(_nonlinear, _point((2, 5, 6)))
    v = _random((2, 5, 6), 1)
    assert torch.linalg.vector_norm(jacobian(v) + 1j * jacobian(1j * v)) > 0.1 * torch.linalg.vector_norm(jacobian(v))


def test_adjoint_products_of_any_number_in_any_order() -> None:
    """The retained graph is rebuilt when the number of perturbations changes, and gives the same answers."""
    jacobian = Jacobian.of_steps(_nonlinear, _point((2, 5, 6)), chunk=4)
    u = _random((7, 5, 6), 2)
    first = jacobian.adjoint(u)
    torch.testing.assert_close(jacobian.adjoint(u[:3]), first[:3])
    torch.testing.assert_close(jacobian.adjoint(u), first)


def test_what_it_was_tried_with() -> None:
    y, v = _point((2, 5, 6)), _random((2, 5, 6), 1)
    jacobian = Jacobian.of_steps(_nonlinear, y, probe=v)
    assert jacobian.tried is not None
    torch.testing.assert_close(jacobian.tried, torch.func.jvp(_nonlinear, (y,), (v,))[1])
    assert Jacobian.of_any(_nonlinear, y).tried is None


def test_a_chunk_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk should be at least 1, got 0"):
        Jacobian.of_steps(_nonlinear, _point((2, 5, 6)), chunk=0)


def test_tracing_says_nothing_to_the_user() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Jacobian.of_any(_nonlinear, _point((2, 5, 6)))
