import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.fourier import centered_fft, centered_ifft, central_block

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


@pytest.mark.parametrize("size", [(9, 12), (4, 7), (1, 2)])
def test_a_central_block_is_a_view_that_keeps_the_centre(size: tuple[int, int]) -> None:
    array = torch.arange(2 * 9 * 12).view(2, 9, 12)
    block = central_block(array, size)
    assert block.shape == (2, *size)
    assert torch.equal(block[:, size[0] // 2, size[1] // 2], array[:, 4, 6])
    block.fill_(-1)
    assert int((array == -1).sum()) == 2 * size[0] * size[1]
