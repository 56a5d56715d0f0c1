import pytest
import torch

from mri_noise.variance.control_variates.compact import packed, picked, unpacked


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float32])
def test_single_precision_takes_half_the_memory_and_keeps_its_range_and_three_digits(dtype: torch.dtype) -> None:
    values = torch.randn(50, 8, generator=torch.Generator().manual_seed(0), dtype=dtype)
    values *= torch.logspace(-30, 30, 50)[:, None]
    parts = packed(values)
    assert parts.nbytes == values.nbytes / 2
    again = unpacked(parts, dtype)
    assert again.dtype == dtype
    torch.testing.assert_close(again, values, rtol=2**-8, atol=0)


@pytest.mark.parametrize("dtype", [torch.complex128, torch.float64])
def test_double_precision_stays_as_it_is(dtype: torch.dtype) -> None:
    values = torch.randn(5, 8, generator=torch.Generator().manual_seed(0), dtype=dtype)
    assert unpacked(packed(values), dtype).equal(values)


def test_samples_are_copied() -> None:
    values = torch.ones(3, dtype=torch.float64)
    parts = packed(values)
    values.zero_()
    assert parts.equal(torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_picked_numbers_are_those_that_were_packed(dtype: torch.dtype) -> None:
    values = torch.randn(3, 2, 11, dtype=dtype, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([4, 0, 4, 10])
    parts = packed(values)
    assert torch.equal(picked(parts, places, dtype), unpacked(parts, dtype)[..., places])
    assert torch.equal(picked(torch.view_as_real(values), places, dtype), values[..., places])
