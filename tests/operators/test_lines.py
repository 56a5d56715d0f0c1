import pytest
import torch

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.lines import LineSolver
from tests.problems import equispaced, smooth_maps


def _lines(maps: torch.Tensor, mask: torch.Tensor) -> LineSolver:
    lines = Sense(maps, mask).lines
    assert lines is not None
    return lines


@pytest.mark.parametrize("axis", [-1, -2, None])
@pytest.mark.parametrize("shape", [(5, 8), (20, 7)])
def test_line_inverse_is_the_inverse_of_the_normal_operator(axis: int | None, shape: tuple[int, int]) -> None:
    mask = {-1: equispaced(*shape, 3, 1), -2: equispaced(*shape[::-1], 3, 1).T.clone(), None: equispaced(*shape, 1)}[
        axis
    ]
    sense = Sense(smooth_maps(3, *shape, torch.complex128), mask)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    b = sense.normal(x) + 0.1 * x
    lines = _lines(sense.coil_maps, mask)
    inverse = lines.inverse(0.1)
    solved = torch.einsum("lij,lj->li", inverse, b.mT).mT if axis == -2 else torch.einsum("lij,lj->li", inverse, b)
    torch.testing.assert_close(solved, x)
    torch.testing.assert_close(lines.solve(b, 0.1), x)
    assert lines.inverse(0.1) is inverse
    assert lines.inverse(0.2) is not inverse


@pytest.mark.parametrize("tikhonov", [1e-2, 1e-4])
def test_line_inverses_of_single_precision_are_as_good_as_it(tikhonov: float) -> None:
    """Rounding is magnified by 1 / lambda: above 0.01 single precision gives five digits, below it is not used."""
    maps, mask = smooth_maps(3, 6, 40, torch.complex128), equispaced(6, 40, 4, 4)
    single = _lines(maps.to(torch.complex64), mask).inverse(tikhonov)
    double = _lines(maps.to(torch.complex64).to(torch.complex128), mask).inverse(tikhonov)
    assert single.dtype == torch.complex64
    assert ((single - double).norm() / double.norm()) < 1e-5


def test_no_line_inverse_of_a_mask_in_two_dimensions() -> None:
    assert Sense(smooth_maps(2, 4, 6, torch.complex64), torch.eye(4, 6) > 0).lines is None


def test_no_line_inverse_without_a_weight() -> None:
    lines = _lines(smooth_maps(2, 4, 6, torch.complex64), equispaced(4, 6, 2))
    assert not lines.has(0.0)
    with pytest.raises(ValueError, match="needs a positive Tikhonov weight, got 0"):
        lines.inverse(0.0)
