import pytest
import torch

from mri_noise.operators import lines as lines_module
from mri_noise.operators.cartesian import Sense
from mri_noise.recon.solvers.conjugate_gradients import solve_by_conjugate_gradients
from mri_noise.recon.solvers.solve import solve_normal
from tests.problems import equispaced, smooth_maps

MASKS = {
    "columns": equispaced(6, 9, 3, 3),
    "rows": equispaced(9, 6, 3, 3).T.clone(),
    "all": equispaced(6, 9, 1),
    "both": torch.eye(6, 9) + torch.eye(6, 9).flip(0) > 0,
}


def _encoding(pattern: str) -> Sense:
    return Sense(smooth_maps(3, 6, 9, torch.complex128), MASKS[pattern])


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)


@pytest.mark.parametrize("leading", [(), (1,), (2, 3)])
@pytest.mark.parametrize("pattern", MASKS)
def test_the_solution_solves(pattern: str, leading: tuple[int, ...]) -> None:
    encoding, b = _encoding(pattern), _random(*leading, 6, 9)
    solution = solve_normal(encoding, b, 0.03, max_iterations=500)
    x = solution.image
    torch.testing.assert_close(encoding.normal(x) + 0.03 * x, b)
    assert solution.verdict == ("converged" if pattern == "both" else "direct")
    assert (solution.residual is None) == (solution.n_iterations == 0) == (solution.verdict == "direct")


@pytest.mark.parametrize("pattern", ["columns", "rows", "all"])
def test_lines_and_conjugate_gradients_agree_in_value_and_gradient(pattern: str) -> None:
    encoding, g = _encoding(pattern), _random(2, 6, 9).flip(0)
    answers = []
    for by_lines in (True, False):
        b = _random(2, 6, 9).requires_grad_()
        assert encoding.lines is not None
        x = (
            encoding.lines.solve(b, 0.03)
            if by_lines
            else solve_by_conjugate_gradients(encoding, b, 0.03, max_iterations=500).image
        )
        answers.append((x.detach(), torch.autograd.grad(x, b, g)[0]))
    torch.testing.assert_close(answers[0], answers[1])


def test_off_the_coil_maps_only_the_weight_acts() -> None:
    maps = smooth_maps(3, 6, 9, torch.complex128)
    maps[:, 2, 4] = 0
    b = _random(6, 9)
    x = solve_normal(Sense(maps, MASKS["columns"]), b, 0.5, max_iterations=1).image
    torch.testing.assert_close(x[2, 4], b[2, 4] / 0.5)


@pytest.mark.parametrize(
    ("pattern", "tikhonov", "verdict"),
    [
        ("columns", 0.1, "direct"),
        ("rows", torch.tensor(0.1), "direct"),
        ("both", 0.1, "converged"),
        ("columns", 0.0, "converged"),
        ("columns", torch.tensor(0.1, requires_grad=True), "converged"),
    ],
)
def test_the_choice(pattern: str, tikhonov: torch.Tensor | float, verdict: str) -> None:
    encoding = _encoding(pattern)
    b = encoding.normal(_random(6, 9))
    assert solve_normal(encoding, b, tikhonov, max_iterations=500).verdict == verdict


def test_inverses_that_would_not_fit_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_LARGEST_INVERSES", 6 * 9 * 9 * 16 - 1)
    encoding = _encoding("columns")
    solve_normal(encoding, _random(6, 9), 0.1, max_iterations=500)
    assert encoding.lines is not None
    assert not encoding.lines._kept
