import pickle  # noqa: TID251 - between our own processes
import pkgutil
from importlib import import_module
from inspect import isabstract

import pytest
import torch

import mri_noise
from mri_noise.operators.cartesian import CenteredFFT, Sampling, Sense, Sensitivities
from mri_noise.operators.linop import LinearOperator, dot_test
from tests.cases import KINDS, OPERATORS, SHAPES

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
    assert {kind for kind in ours if not isabstract(kind)} == KINDS


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
def test_pickled(name: str) -> None:
    operator = OPERATORS[name](SHAPES[1])
    x, y = _random((2, *operator.in_shape), 1), _random((2, *operator.out_shape), 2)
    expected = operator(x), operator.adjoint(y)  # whatever is kept after a first product stays behind
    again = pickle.loads(pickle.dumps(operator))
    assert torch.equal(again(x), expected[0])
    assert torch.equal(again.adjoint(y), expected[1])


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
