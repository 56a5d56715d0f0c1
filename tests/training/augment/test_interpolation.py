import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mri_noise.training.augment.interpolation import cubic, resampled

IDENTITY, NOWHERE = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
TURN = torch.tensor([[0.9, 0.2], [-0.3, 1.1]], dtype=torch.float64)
SHIFT = torch.tensor([0.37, -0.81], dtype=torch.float64)


def _positions(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Row and column positions about the centre pixel."""
    row, column = (torch.arange(n, dtype=torch.float64) - n // 2 for n in (rows, columns))
    return row[:, None].expand(rows, columns), column.expand(rows, columns)


def _sources(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    row, column = _positions(rows, columns)
    return (
        TURN[0, 0] * row + TURN[0, 1] * column + SHIFT[0],
        TURN[1, 0] * row + TURN[1, 1] * column + SHIFT[1],
    )


@settings(deadline=None, max_examples=30)
@given(st.tuples(st.integers(16, 21), st.integers(16, 21)), st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_polynomials_of_degree_two_are_exact(shape: tuple[int, int], c: list[float]) -> None:
    def polynomial(y: Tensor, x: Tensor) -> Tensor:
        return (c[0] + c[1] * x + c[2] * y + c[3] * x * y + 1j * (c[4] * x * x + c[5] * y * y)).to(torch.complex128)

    sources = _sources(*shape)
    inside = (sources[0].abs() < shape[0] // 2 - 2) & (sources[1].abs() < shape[1] // 2 - 2)
    interpolated = resampled(polynomial(*_positions(*shape)), TURN, SHIFT)
    assert inside.sum() > 50
    torch.testing.assert_close(interpolated[inside], polynomial(*sources)[inside], rtol=1e-10, atol=1e-10)


def test_smooth_images_are_interpolated_to_third_order() -> None:
    def error(refinement: int) -> float:
        n = 24 * refinement
        y, x = (torch.arange(n, dtype=torch.float64) - n // 2) / n, (torch.arange(n, dtype=torch.float64) - n // 2) / n
        image = torch.sin(7 * y + 0.3)[:, None] * torch.cos(5 * x + 0.2) * (1 + 0.5j)
        shift = torch.full((2,), 0.3, dtype=torch.float64)
        moved = torch.sin(7 * (y + 0.3 / n) + 0.3)[:, None] * torch.cos(5 * (x + 0.3 / n) + 0.2) * (1 + 0.5j)
        return float((resampled(image, IDENTITY, shift) - moved)[4:-4, 4:-4].abs().max())

    orders = [math.log2(error(2**k) / error(2 ** (k + 1))) for k in (0, 1, 2)]
    assert [round(order) for order in orders] == [3, 3, 3]


@pytest.mark.parametrize("shape", [(9, 12), (7, 7)])
def test_whole_pixels_are_copied_and_zeros_come_in(shape: tuple[int, int]) -> None:
    image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    assert torch.equal(resampled(image, IDENTITY, NOWHERE), image)
    shifted = resampled(image, IDENTITY, torch.tensor([2.0, -1.0], dtype=torch.float64))
    expected = torch.zeros_like(image)
    expected[:, :-2, 1:] = image[:, 2:, :-1]
    torch.testing.assert_close(shifted, expected)


def test_a_quarter_turn_is_about_the_centre_pixel() -> None:
    image = torch.randn(9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(resampled(image, turn, NOWHERE), torch.rot90(image))


@given(st.floats(0, 1))
def test_weights_of_the_kernel_sum_to_one(offset: float) -> None:
    distances = offset - torch.arange(-1, 3, dtype=torch.float64)
    torch.testing.assert_close(cubic(distances).sum(), torch.ones((), dtype=torch.float64))
