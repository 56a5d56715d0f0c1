from dataclasses import dataclass

import pytest
import torch

from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.linop import dot_test
from mri_noise.operators.replay import (
    Step,
    Tangent,
    constant,
    divide,
    in_lower_precision,
    multiply,
    offset,
    record,
    record_mean,
    replay,
    root_sum_of_squares,
)


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)


FUNCTIONS = {
    "multiply": lambda y: multiply(y, offset(y.conj(), by=torch.tensor(2))),
    "multiply broadcast": lambda y: multiply(y, y.sum(-3, keepdim=True)),
    "divide": lambda y: divide(y, offset(y.real.to(y.dtype), by=torch.tensor(5j))),
    "offset": lambda y: offset(2 * y, by=torch.ones(4, 5)),
    "root sum of squares": lambda y: root_sum_of_squares(y, dim=-3).to(y.dtype),
    "real root sum of squares": lambda y: root_sum_of_squares(y.real, dim=-2).to(y.dtype),
    "folded": lambda y: multiply(y.reshape(-1, 4, 5), (y.conj() * 1j).reshape(-1, 4, 5)).reshape(y.shape),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_step_has_its_derivative(name: str) -> None:
    function, y, v = FUNCTIONS[name], _random(3, 4, 5), _random(6, 3, 4, 5, seed=1)
    jacobian = Jacobian.of_steps(function, y)
    expected = torch.stack([torch.func.jvp(function, (y,), (one,))[1] for one in v])
    torch.testing.assert_close(jacobian(v), expected)
    assert dot_test(jacobian, torch.Generator().manual_seed(2)) < 1e-13


@Step
def squared(x: torch.Tensor) -> torch.Tensor:
    """A step whose derivative is any function."""
    return x * x


@squared.derivative
def _(x: torch.Tensor) -> Tangent:
    return lambda dx: 2 * x * dx


@pytest.mark.parametrize("name", [*FUNCTIONS, "any function"])
@pytest.mark.parametrize("sizes", [(1,), (2, 2), (3, 1, 2)], ids=str)
def test_the_mean_derivative_of_one_step_is_the_mean_of_those_at_the_points(name: str, sizes: tuple[int, ...]) -> None:
    function = squared if name == "any function" else FUNCTIONS[name]
    y, v = _random(3, 4, 5), _random(6, 3, 4, 5, seed=1)
    points = y + 0.3 * _random(sum(sizes), 3, 4, 5, seed=2)
    mean = Jacobian.of_steps(function, y, around=points.split(sizes))
    each = [torch.stack([torch.func.jvp(function, (point,), (one,))[1] for one in v]) for point in points]
    torch.testing.assert_close(mean(v), sum(each) / len(each))
    assert dot_test(mean, torch.Generator().manual_seed(2)) < 1e-13
    if name == "offset":
        assert mean.values is None, "its derivative is the same everywhere"
    else:
        assert mean.values is not None
        torch.testing.assert_close(mean.values, torch.stack([function(point) for point in points]))


@pytest.mark.parametrize("at_other_points", [0, 2])
def test_a_function_that_takes_other_steps_elsewhere_is_found(at_other_points: int) -> None:
    def function(y: torch.Tensor) -> torch.Tensor:
        for _ in range(1 if y.ndim == 2 else at_other_points):
            y = multiply(y, y)
        return y

    with pytest.raises(ValueError, match="steps at other points"):
        Jacobian.of_steps(function, _random(3, 4), around=[_random(2, 3, 4)])


def test_a_mean_is_of_some_points() -> None:
    with record() as tape:
        multiply(_random(2), _random(2))
    with pytest.raises(ValueError, match="no batch was given"):
        record_mean(lambda y: multiply(y, y), tape, [])


def test_root_sum_of_squares_of_nothing_has_no_derivative_there() -> None:
    y = _random(3, 4, 5)
    y[:, 1, 2] = 0
    result = Jacobian.of_steps(lambda z: root_sum_of_squares(z, dim=-3), y)(_random(2, 3, 4, 5))
    assert (result[..., 1, 2] == 0).all()
    assert torch.isfinite(result).all()


def test_a_step_without_a_derivative_is_named() -> None:
    @Step
    def cube(x: torch.Tensor) -> torch.Tensor:
        return x**3

    assert cube(torch.tensor(2.0)) == 8
    with pytest.raises(TypeError, match="step 'cube' has no derivative"), record():
        cube(torch.tensor(2.0))


def test_what_is_constant_has_no_derivative() -> None:
    """A factor that steps make from a constant is neither recorded nor taken for a perturbation of the data."""
    weights = _random(4, 5, seed=3)

    def function(y: torch.Tensor) -> torch.Tensor:
        with constant():
            factor = multiply(weights, weights.conj())
        return multiply(y * factor, y)

    y, v = _random(3, 4, 5), _random(2, 3, 4, 5, seed=1)
    torch.testing.assert_close(Jacobian.of_steps(function, y)(v), 2 * y * v * weights.abs().square())


def test_nothing_stays_recorded_or_replayed_after_an_error() -> None:
    y = _random(2, 2)
    with pytest.raises(RuntimeError), record() as tape:
        raise RuntimeError
    with pytest.raises(StopIteration), replay(tape):
        multiply(y, y)
    torch.testing.assert_close(multiply(y, y), y * y)
    assert tape.entries == []


@pytest.mark.parametrize(
    "function",
    [lambda y: multiply(y, y) + 1, lambda y: y * y, lambda y: y.abs().to(y.dtype), lambda y: y * y.real.relu()],
    ids=["constant", "product", "magnitude", "gate"],
)
def test_a_nonlinear_part_that_is_no_step_is_found(function: object) -> None:
    with pytest.raises(ValueError, match="not linear when it is replayed"):
        Jacobian.of_steps(function, _random(2, 3))


@dataclass(frozen=True)
class Factor:
    """A product with a constant, kept in whatever precision is asked for."""

    value: torch.Tensor

    def __call__(self, dx: torch.Tensor) -> torch.Tensor:
        return dx * self.value.to(dx.dtype)

    def rounded(self, dtype: torch.dtype) -> "Factor":
        return Factor(self.value.to(dtype))


@Step
def scaled(x: torch.Tensor) -> torch.Tensor:
    """A third of x."""
    return x / 3


@scaled.derivative
def _(x: torch.Tensor) -> Tangent:
    return Factor(torch.tensor(1 / 3, dtype=x.real.dtype))


def test_what_can_be_rounded_is_and_the_rest_stays_as_it_is() -> None:
    y, v = _random(3, 4, 5), _random(2, 3, 4, 5, seed=1)
    exact = Jacobian.of_steps(lambda z: multiply(scaled(z), z), y, chunk=3)
    rounded = exact.rounded(torch.bfloat16)
    assert rounded is not None
    assert rounded.chunk == 3
    third = torch.tensor(1 / 3, dtype=torch.bfloat16).double()
    torch.testing.assert_close(rounded(v), third * v * y + v * y / 3)
    torch.testing.assert_close(exact(v), 2 * v * y / 3)


def test_without_a_part_to_round_there_is_nothing_to_gain() -> None:
    assert Jacobian.of_steps(lambda z: multiply(z, z), _random(3, 4, 5)).rounded(torch.bfloat16) is None
    assert Jacobian.of_any(lambda z: z * z, _random(3, 4, 5)).rounded(torch.bfloat16) is None


def test_only_a_rounded_derivative_is_in_lower_precision() -> None:
    said = []

    def function(y: torch.Tensor) -> torch.Tensor:
        said.append(in_lower_precision())
        return scaled(y)

    exact = Jacobian.of_steps(function, _random(2, 2))
    rounded = exact.rounded(torch.bfloat16)
    assert rounded is not None
    assert not any(said)
    said.clear()
    rounded(_random(2, 2))
    exact(_random(2, 2))
    function(_random(2, 2))
    assert said == [True, False, False]
