import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.encoding import Sense, centered_fft, centered_ifft, central_block, sampled_block, without_gaps
from tests.problems import equispaced, smooth_maps

sizes = st.integers(1, 9)


@settings(max_examples=30, deadline=None)
@given(rows=sizes, columns=sizes, row=st.integers(0, 8), column=st.integers(0, 8))
def test_fft_is_the_centred_orthonormal_sum(rows: int, columns: int, row: int, column: int) -> None:
    """A point at (r, c) from the centre n // 2 is a wave with that many periods, of modulus 1 / sqrt(n)."""
    row, column = row % rows, column % columns
    image = torch.zeros(rows, columns, dtype=torch.complex128)
    image[row, column] = 1
    k = torch.arange(rows, dtype=torch.float64)[:, None] - rows // 2
    q = torch.arange(columns, dtype=torch.float64)[None, :] - columns // 2
    phase = k * (row - rows // 2) / rows + q * (column - columns // 2) / columns
    expected = torch.exp(-2j * torch.pi * phase) / (rows * columns) ** 0.5
    torch.testing.assert_close(centered_fft(image), expected)
    torch.testing.assert_close(centered_ifft(expected), image)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 8), columns=st.integers(1, 9), coils=st.integers(1, 4),
    pattern=st.sampled_from(["columns", "rows", "both", "all", "none"]), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_normal_is_adjoint_after_forward(rows: int, columns: int, coils: int, pattern: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"columns": (1, columns), "rows": (rows, 1), "both": (rows, columns), "all": (1, 1), "none": (1, 1)}
    sampled = torch.rand(shapes[pattern], generator=generator) < {"all": 2.0, "none": -1.0}.get(pattern, 0.5)
    sense = Sense(smooth_maps(coils, rows, columns, torch.complex128), sampled.expand(rows, columns))
    x = torch.randn(2, rows, columns, generator=generator, dtype=torch.complex128)
    torch.testing.assert_close(sense.normal(x), sense.adjoint(sense(x)))


@pytest.mark.usefixtures("unchecked_shapes")
def test_mask_and_maps_must_agree() -> None:
    with pytest.raises(ValueError, match=r"the mask is \(4, 5\) but the coil maps are \(4, 6\)"):
        Sense(smooth_maps(2, 4, 6, torch.complex64), torch.ones(4, 5, dtype=torch.bool))


def test_unsampled_points_stay_zero() -> None:
    mask = equispaced(4, 6, 3)
    sense = Sense(smooth_maps(2, 4, 6, torch.complex64), mask)
    kspace = sense(torch.ones(4, 6, dtype=torch.complex64))
    assert (kspace[:, ~mask] == 0).all()
    assert (kspace[:, mask] != 0).any()


@pytest.mark.parametrize("axis", [-1, -2, None])
@pytest.mark.parametrize("shape", [(5, 8), (20, 7)])
def test_line_inverse_is_the_inverse_of_the_normal_operator(axis: int | None, shape: tuple[int, int]) -> None:
    mask = {-1: equispaced(*shape, 3, 1), -2: equispaced(*shape[::-1], 3, 1).T.clone(), None: equispaced(*shape, 1)}[
        axis
    ]
    sense = Sense(smooth_maps(3, *shape, torch.complex128), mask)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    b = sense.normal(x) + 0.1 * x
    inverse = sense.line_inverse(0.1)
    solved = torch.einsum("lij,lj->li", inverse, b.mT).mT if axis == -2 else torch.einsum("lij,lj->li", inverse, b)
    torch.testing.assert_close(solved, x)
    assert sense.line_inverse(0.1) is inverse
    assert sense.line_inverse(0.2) is not inverse


@pytest.mark.parametrize("tikhonov", [1e-2, 1e-4])
def test_line_inverses_of_single_precision_are_as_good_as_it(tikhonov: float) -> None:
    """Rounding is magnified by 1 / lambda: above 0.01 single precision gives five digits, below it is not used."""
    maps, mask = smooth_maps(3, 6, 40, torch.complex128), equispaced(6, 40, 4, 4)
    single = Sense(maps.to(torch.complex64), mask).line_inverse(tikhonov)
    double = Sense(maps.to(torch.complex64).to(torch.complex128), mask).line_inverse(tikhonov)
    assert single.dtype == torch.complex64
    assert ((single - double).norm() / double.norm()) < 1e-5


def test_no_line_inverse_of_a_mask_in_two_dimensions() -> None:
    mask = torch.eye(4, 6) > 0
    with pytest.raises(ValueError, match="varies along 2"):
        Sense(smooth_maps(2, 4, 6, torch.complex64), mask).line_inverse(0.1)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), around=st.tuples(*4 * [st.integers(0, 4)]))
def test_a_padded_rectangle_has_no_gaps_and_is_its_own_block(
    rows: int, columns: int, around: tuple[int, int, int, int]
) -> None:
    mask = torch.nn.functional.pad(torch.ones(rows, columns, dtype=torch.bool), around)
    left, _, top, _ = around
    assert without_gaps(mask)
    assert sampled_block(mask) == (slice(top, top + rows), slice(left, left + columns))


@pytest.mark.parametrize("size", [(9, 12), (4, 7), (1, 2)])
def test_a_central_block_is_a_view_that_keeps_the_centre(size: tuple[int, int]) -> None:
    array = torch.arange(2 * 9 * 12).view(2, 9, 12)
    block = central_block(array, size)
    assert block.shape == (2, *size)
    assert torch.equal(block[:, size[0] // 2, size[1] // 2], array[:, 4, 6])
    block.fill_(-1)
    assert int((array == -1).sum()) == 2 * size[0] * size[1]


def test_an_ellipse_has_no_gaps_and_lines_left_out_are_gaps() -> None:
    y, x = (torch.linspace(-1, 1, n) for n in (15, 10))
    ellipse = y[:, None] ** 2 + x**2 <= 1
    assert without_gaps(ellipse)
    assert not without_gaps(equispaced(8, 12, 2))
    assert not without_gaps(equispaced(8, 12, 2).mT)
    with_a_hole = ellipse.clone()
    with_a_hole[7, 5] = False
    assert not without_gaps(with_a_hole)
    assert without_gaps(equispaced(8, 12, 1, 4))
    assert sampled_block(equispaced(8, 12, 3, offset=2)) == (slice(0, 8), slice(2, 12))
