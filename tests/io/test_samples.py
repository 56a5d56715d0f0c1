import numpy as np
import pytest
import torch

from mri_noise.io.samples import as_complex64, counted, label, measured_lines, measured_points


def test_samples_become_complex64_of_their_own() -> None:
    stored = np.arange(12, dtype=">c16").reshape(2, 2, 3)
    samples = as_complex64(stored, "slice 0")
    stored[:] = 0
    assert samples.dtype == torch.complex64
    assert samples.flatten().real.tolist() == list(range(12))


@pytest.mark.parametrize("bad", [np.nan, 1j * np.inf, 1e39])
def test_samples_that_single_precision_cannot_hold_are_refused(bad: complex) -> None:
    stored = np.ones((1, 2, 2), dtype=np.complex128)
    stored[0, 1, 0] = bad
    with pytest.raises(ValueError, match=r"^slice 3 of 'x.h5' holds NaN or infinite values"):
        as_complex64(stored, "slice 3 of 'x.h5'")


def test_zeros_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^slice 0 holds nothing but zeros"):
        as_complex64(np.zeros((1, 2, 2), dtype=np.complex64), "slice 0")


def test_lines_that_are_zero_in_all_coils_were_not_measured() -> None:
    kspace = torch.ones(2, 5, 6, dtype=torch.complex64)
    kspace[:, :, 4:] = 0
    kspace[:, 0] = 0
    kspace[0, 2] = 0
    expected = torch.ones(5, 6, dtype=torch.bool)
    expected[0], expected[:, 4:] = False, False
    assert torch.equal(measured_lines(kspace), expected)
    assert torch.equal(measured_points(kspace), expected)


def test_a_lone_zero_is_a_measured_value_and_many_are_a_pattern() -> None:
    kspace = torch.ones(2, 15, 16, dtype=torch.complex64)
    kspace[:, 3, 4] = 0
    assert bool(measured_points(kspace).all())
    pattern = torch.rand(15, 16, generator=torch.Generator().manual_seed(1)) < 0.5
    assert torch.equal(measured_points(pattern * torch.ones(2, 15, 16, dtype=torch.complex64)), pattern)


def test_labels() -> None:
    assert label(3, ()) == "slice 3"
    assert label(3, (("repetition", 2), ("set", 0))) == "slice 3, repetition 2, set 0"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, "4"),
        ({"contrast": 2}, "8 (4 slices x 2 contrasts)"),
        ({"slab": 1, "echo": 3}, "12 (4 slices x 1 slab x 3 echoes)"),
        ({"batch": 2}, "8 (4 slices x 2 batches)"),
    ],
)
def test_slices_are_counted_by_what_they_are_made_up_of(sizes: dict[str, int], expected: str) -> None:
    places = np.ndindex(4, *sizes.values())
    labels = [label(index, zip(sizes, counts, strict=True)) for index, *counts in places]
    assert counted(labels) == expected
    if sizes == {"contrast": 2}:
        assert counted(labels[1:]) == "7 (4 slices, 2 contrasts, not in every combination)"
