import pkgutil
import warnings
from importlib import import_module

import pytest
import torch

import mri_noise
from mri_noise.operators.encoding import CenteredFFT, Sampling, Sense, Sensitivities
from mri_noise.operators.linop import Jacobian, LinearOperator, dot_test
from tests.cases import KINDS, OPERATORS, SHAPES, _nonlinear, _point

every_operator = pytest.mark.parametrize("name", OPERATORS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def _random(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)


def _subclasses(kind: type) -> set[type]:
    return {kind, *(deeper for below in kind.__subclasses__() for deeper in _subclasses(below))}


def test_the_cases_cover_every_operator_class() -> None:
    for module in pkgutil.walk_packages(mri_noise.__path__, "mri_noise."):
        if ".plugin" not in module.name:
            import_module(module.name)
    ours = {kind for kind in _subclasses(LinearOperator) if kind.__module__.startswith("mri_noise")}
    assert ours - {LinearOperator} == KINDS


@every_operator
@every_shape
def test_adjoint(name: str, shape: tuple[int, int, int]) -> None:
    assert dot_test(OPERATORS[name](shape), torch.Generator().manual_seed(1)) < 1e-13


@every_operator
@every_shape
def test_real_linear(name: str, shape: tuple[int, int, int]) -> None:
    operator = OPERATORS[name](shape)
    x, y = _random(operator.in_shape, 1), _random(operator.in_shape, 2)
    torch.testing.assert_close(operator(2 * x - 3 * y), 2 * operator(x) - 3 * operator(y))


@every_operator
def test_leading_axes_are_independent(name: str) -> None:
    operator = OPERATORS[name](SHAPES[1])
    x, y = _random((2, 4, *operator.in_shape), 1), _random((2, 4, *operator.out_shape), 2)
    torch.testing.assert_close(operator(x)[1, 2], operator(x[1, 2]))
    torch.testing.assert_close(operator.adjoint(y)[1, 2], operator.adjoint(y[1, 2]))


@every_operator
def test_a_wrong_shape_is_named(name: str) -> None:
    operator = OPERATORS[name](SHAPES[1])
    with pytest.raises(ValueError, match="takes arrays whose last axes are"):
        operator(_random((3,), 1))
    with pytest.raises(ValueError, match="takes arrays whose last axes are"):
        operator.adjoint(_random((3, *operator.out_shape[:-1]), 1))


def test_dot_test_finds_a_wrong_adjoint() -> None:
    class Wrong(CenteredFFT):
        def _adjoint(self, y: torch.Tensor) -> torch.Tensor:
            return self._apply(y)

    assert dot_test(Wrong((5, 8)), torch.Generator().manual_seed(0)) > 1e-3


def test_adjoint_of_adjoint_and_composition() -> None:
    sense = OPERATORS["Sense"](SHAPES[1])
    assert sense.H.H is sense
    x = _random(sense.in_shape, 3)
    torch.testing.assert_close((sense.H @ sense)(x), sense.adjoint(sense(x)))


def test_operators_that_do_not_fit_do_not_compose() -> None:
    with pytest.raises(ValueError, match=r"cannot compose Sampling, which takes \(2, 4, 4\), with Sensitivities"):
        Sampling(torch.ones(4, 4, dtype=torch.bool), 2) @ Sensitivities(_random((3, 4, 4), 0))


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_adjoint_on_a_gpu_in_single_precision() -> None:
    shape = SHAPES[1]
    maps = torch.randn(shape, dtype=torch.complex64, device="cuda")
    sense = Sense(maps, torch.rand(shape[1:], device="cuda") < 0.5)
    generator = torch.Generator().manual_seed(1)
    assert dot_test(sense, generator, dtype=torch.complex64, device="cuda") < 1e-5


def test_adjoint_in_single_precision() -> None:
    shape = SHAPES[2]
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.complex64)
    sense = Sense(maps, torch.eye(*shape[1:]) > 0)
    assert dot_test(sense, torch.Generator().manual_seed(1), dtype=torch.complex64) < 1e-5
