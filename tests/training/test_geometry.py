from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft
from mri_noise.training.example import Acquisition
from mri_noise.training.geometry import croppable_axes, cropped, has_gaps, mirrored, transposed
from tests.problems import equispaced
from tests.training.acquisitions import acquisition

SIZES = st.tuples(st.integers(4, 11), st.integers(4, 11))
PERMUTATIONS: list[Callable[[Acquisition], Acquisition]] = [
    lambda one: mirrored(one, -2),
    lambda one: mirrored(one, -1),
    transposed,
    lambda one: transposed(mirrored(one, -1)),
]


@settings(max_examples=15, deadline=None)
@given(size=SIZES, permute=st.sampled_from(PERMUTATIONS), seed=st.integers(0, 99))
def test_a_permutation_of_image_and_maps_is_one_of_kspace_and_mask(
    size: tuple[int, int], permute: Callable[[Acquisition], Acquisition], seed: int
) -> None:
    mask = torch.rand(size, generator=torch.Generator().manual_seed(seed)) < 0.6
    one = acquisition(*size, mask=mask, seed=seed)
    turned = permute(one)
    # The image is put through the same function in the place of the maps, which are permuted as images are.
    sampled = acquisition(*size, seed=seed)
    combined = Sense(sampled.coil_maps, sampled.mask).adjoint(sampled.kspace)
    as_maps = Acquisition(one.kspace, one.mask, combined.expand(3, *size), 0.0, (-1,))
    image = permute(as_maps).coil_maps[0]
    expected = centered_fft(turned.coil_maps * image) * turned.mask
    torch.testing.assert_close(turned.kspace, expected, atol=1e-5, rtol=0)
    assert turned.mask.sum() == mask.sum()
    assert sorted(image.abs().flatten().tolist()) == sorted(combined.abs().flatten().tolist())


def test_mirroring_keeps_the_centre_and_undoes_itself() -> None:
    one = acquisition(8, 7)
    for axis in (-2, -1):
        turned = mirrored(one, axis)
        assert turned.coil_maps[:, 4, 3].equal(one.coil_maps[:, 4, 3])
        assert not turned.coil_maps.equal(one.coil_maps)
        assert mirrored(turned, axis).kspace.equal(one.kspace)


@settings(max_examples=15, deadline=None)
@given(size=SIZES, data=st.data())
def test_a_crop_is_the_image_cut_out(size: tuple[int, int], data: st.DataObject) -> None:
    kept = data.draw(st.tuples(*(st.integers(2, n) for n in size)))
    starts = data.draw(st.tuples(*(st.integers(0, n - m) for n, m in zip(size, kept, strict=True))))
    one = acquisition(*size)
    small = cropped(one, starts, kept)
    rows, columns = (slice(start, start + n) for start, n in zip(starts, kept, strict=True))
    image = Sense(one.coil_maps, one.mask).adjoint(one.kspace)[rows, columns]
    assert small.coil_maps.equal(one.coil_maps[:, rows, columns])
    assert bool(small.mask.all())
    torch.testing.assert_close(small.kspace, Sense(small.coil_maps, small.mask)(image), atol=1e-5, rtol=0)


def test_a_crop_along_a_fully_sampled_readout_keeps_the_lines() -> None:
    lines = equispaced(12, 10, 2, 2)
    one = acquisition(12, 10, mask=lines)
    assert croppable_axes(one) == (-2,)
    small = cropped(one, (3, 0), (6, 10))
    assert small.mask.equal(lines[:6])
    assert not bool(small.kspace[:, ~small.mask].any())


MASKS = {
    "full": (torch.ones(9, 12, dtype=torch.bool), False),
    "every second line": (equispaced(9, 12, 2, 4), True),
    "partial Fourier": (torch.arange(12).expand(9, 12) > 2, False),
    "disc": (torch.hypot(torch.arange(9)[:, None] - 4.0, torch.arange(12) - 6.0) < 4.5, False),
    "centre and one line": ((torch.arange(12).expand(9, 12) - 5).abs() != 3, True),
    "centre and one row": ((torch.arange(9)[:, None].expand(9, 12) - 4).abs() != 3, True),
}


@pytest.mark.parametrize(("mask", "gaps"), MASKS.values(), ids=MASKS.keys())
def test_gaps_are_between_samples_and_edges_are_none(mask: torch.Tensor, gaps: bool) -> None:
    assert has_gaps(acquisition(9, 12, mask=mask)) == gaps
