import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from mri_noise.recon.solvers.conjugate_gradients import default_tolerance, solve_by_conjugate_gradients
from tests.problems import equispaced, problem
from tests.recon import references

N = 200


def images(*shape: int, dtype: torch.dtype = torch.complex128, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(2, 8),
    columns=st.integers(2, 8),
    n_coils=st.integers(1, 4),
    acceleration=st.integers(1, 3),
    tikhonov=st.sampled_from([1e-3, 0.05, 1.0, 30.0]),
)
def test_solution_is_the_dense_one(rows: int, columns: int, n_coils: int, acceleration: int, tikhonov: float) -> None:
    encoding = problem(rows, columns, n_coils, equispaced(rows, columns, acceleration)).encoding
    b = images(rows, columns)
    expected = references.solve(references.dense(encoding), b, tikhonov)
    got = solve_by_conjugate_gradients(encoding, b, tikhonov, max_iterations=N).image
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-8 * float(expected.abs().max()))


def test_members_of_a_batch_are_solved_independently() -> None:
    encoding = problem(5, 6).encoding
    b = images(2, 3, 5, 6) * torch.tensor([1e-9, 1.0, 1e9])[:, None, None]
    _, vectors = torch.linalg.eigh(references.dense(encoding).mH @ references.dense(encoding))
    b[0, 1] = vectors[:, -1].reshape(5, 6)  # solved after one iteration, while the others go on
    b[1, 1] = 0
    together = solve_by_conjugate_gradients(encoding, b, 0.01, max_iterations=N).image
    for member, right_hand_side in zip(together.flatten(0, 1), b.flatten(0, 1), strict=True):
        alone = references.solve(references.dense(encoding), right_hand_side, 0.01)
        torch.testing.assert_close(member, alone, rtol=0, atol=1e-9 * float(alone.abs().max()))
    assert not together[1, 1].any()


@pytest.mark.parametrize(("dtype", "bound"), [(torch.complex64, 4e-6), (torch.complex128, 2e-12)])
def test_default_tolerance_is_reached(dtype: torch.dtype, bound: float) -> None:
    encoding = problem(24, 25, mask=equispaced(24, 25, 3, 4), dtype=dtype).encoding
    b = encoding.adjoint(encoding(images(24, 25, dtype=dtype)))
    x = solve_by_conjugate_gradients(encoding, b, 1e-3, max_iterations=1000).image
    exact = problem(24, 25, mask=equispaced(24, 25, 3, 4)).encoding
    residual = exact.normal(x.to(torch.complex128)) + 1e-3 * x - b
    relative = torch.linalg.vector_norm(residual) / torch.linalg.vector_norm(b)
    assert x.dtype == dtype
    assert relative < bound
    assert default_tolerance(dtype) < bound


def objective(x: Tensor) -> Tensor:
    return (x * images(*x.shape, seed=9)).real.sum() + x.abs().pow(4).sum()


@pytest.mark.parametrize(("rows", "columns", "n_coils"), [(5, 6, 3), (4, 7, 1)])
def test_gradients_are_those_of_the_dense_solution(rows: int, columns: int, n_coils: int) -> None:
    encoding = problem(rows, columns, n_coils, equispaced(rows, columns, 2)).encoding
    b = images(rows, columns).requires_grad_()
    tikhonov = torch.tensor(0.07, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad(objective(references.solve(references.dense(encoding), b, tikhonov)), (b, tikhonov))
    got = torch.autograd.grad(
        objective(solve_by_conjugate_gradients(encoding, b, tikhonov, max_iterations=N).image), (b, tikhonov)
    )
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-10)


def test_each_member_may_have_its_own_weight() -> None:
    encoding = problem(5, 6).encoding
    b = images(3, 5, 6)
    weights = torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64, requires_grad=True)
    matrix = references.dense(encoding)
    dense = torch.stack([references.solve(matrix, member, w) for member, w in zip(b, weights, strict=True)])
    solved = solve_by_conjugate_gradients(encoding, b, weights[:, None, None], max_iterations=N).image
    torch.testing.assert_close(solved, dense)
    expected, got = (torch.autograd.grad(objective(x), weights) for x in (dense, solved))
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-10)


def test_derivatives_of_first_and_second_order_are_those_of_differences() -> None:
    encoding = problem(3, 4, 2).encoding
    b = images(3, 4).requires_grad_()
    tikhonov = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def solution(b: Tensor, tikhonov: Tensor) -> Tensor:
        return solve_by_conjugate_gradients(encoding, b, tikhonov, max_iterations=N).image

    assert torch.autograd.gradcheck(solution, (b, tikhonov), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(solution, (b, tikhonov))


def test_forward_derivative_is_that_of_the_dense_solution() -> None:
    encoding = problem(5, 6).encoding
    matrix = references.dense(encoding)
    point = images(5, 6), torch.tensor(0.07, dtype=torch.float64)
    tangent = images(5, 6, seed=1), torch.tensor(0.4, dtype=torch.float64)
    _, expected = torch.func.jvp(lambda b, w: references.solve(matrix, b, w), point, tangent)
    _, got = torch.func.jvp(
        lambda b, w: solve_by_conjugate_gradients(encoding, b, w, max_iterations=N).image, point, tangent
    )
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-10)
    b, w = point
    _, of_b = torch.func.jvp(
        lambda b: solve_by_conjugate_gradients(encoding, b, w, max_iterations=N).image, (b,), tangent[:1]
    )
    torch.testing.assert_close(of_b, references.solve(matrix, tangent[0], 0.07), rtol=1e-8, atol=1e-10)


def test_memory_for_the_gradient_does_not_depend_on_the_iterations() -> None:
    encoding = problem(8, 9, mask=equispaced(8, 9, 3)).encoding
    b = images(8, 9).requires_grad_()

    def saved(tolerance: float) -> list[tuple[int, ...]]:
        shapes: list[tuple[int, ...]] = []
        with saved_tensors_hooks(lambda t: shapes.append(tuple(t.shape)) or t, lambda t: t):
            solve_by_conjugate_gradients(encoding, b, 1e-3, tolerance=tolerance, max_iterations=N)
        return shapes

    assert saved(0.5) == saved(1e-12) == [(8, 9), ()]


def test_too_few_iterations_are_reported() -> None:
    encoding = problem(8, 9, mask=equispaced(8, 9, 3)).encoding
    with pytest.warns(RuntimeWarning, match=r"stopped after 2 iterations at a relative residual of 0\.\d"):
        solution = solve_by_conjugate_gradients(encoding, images(8, 9), 1e-3, max_iterations=2)
    assert (solution.verdict, solution.n_iterations) == ("exhausted", 2)


@pytest.mark.parametrize(("tolerance", "most", "verdict"), [(1e-6, N, "converged"), (1e-12, 12, "near")])
def test_the_residual_is_that_of_each_image(tolerance: float, most: int, verdict: str) -> None:
    encoding, b = problem(8, 9, mask=equispaced(8, 9, 3)).encoding, images(2, 3, 8, 9)
    solution = solve_by_conjugate_gradients(encoding, b, 0.1, tolerance=tolerance, max_iterations=most)
    left = b - encoding.normal(solution.image) - 0.1 * solution.image
    expected = torch.linalg.vector_norm(left, dim=(-2, -1)) / torch.linalg.vector_norm(b, dim=(-2, -1))
    assert solution.verdict == verdict
    assert solution.residual is not None
    torch.testing.assert_close(solution.residual, expected, rtol=1e-6, atol=0)


def test_not_a_number_stays_one() -> None:
    encoding = problem(4, 5).encoding
    b = images(2, 4, 5)
    b[0, 1, 2] = torch.nan
    solution = solve_by_conjugate_gradients(encoding, b, 0.1, max_iterations=N)
    x = solution.image
    assert solution.verdict == "not finite"
    assert x[0].isnan().all()
    torch.testing.assert_close(x[1], references.solve(references.dense(encoding), b[1], 0.1))


def test_a_start_saves_iterations_and_changes_nothing_else() -> None:
    p = problem(6, 9, 3, equispaced(6, 9, 2, 2))
    b = p.encoding.adjoint(p.kspace)
    solution = solve_by_conjugate_gradients(p.encoding, b, 0.1, max_iterations=200).image
    start = (solution + 1e-3 * b).requires_grad_()
    with pytest.warns(RuntimeWarning, match="stopped after 2 iterations"):
        cold = solve_by_conjugate_gradients(p.encoding, b, 0.1, max_iterations=2).image
    warm = solve_by_conjugate_gradients(p.encoding, b, 0.1, start=start, max_iterations=2).image
    assert (warm - solution).abs().max() < 0.1 * (cold - solution).abs().max()
    assert not warm.requires_grad
    finished = solve_by_conjugate_gradients(p.encoding, b, 0.1, start=start, max_iterations=200).image
    torch.testing.assert_close(finished, solution, rtol=1e-9, atol=1e-9)
