import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from torch import Tensor

from mri_noise.acquisition.coil_calibration import (
    calibration_size,
    calibration_square,
    signal_over_noise,
    unexplained_share,
)
from mri_noise.operators.fourier import centered_fft
from tests.problems import covariance, equispaced, noise_kspace, smooth_maps

ROWS, COLUMNS = 48, 41


@settings(deadline=None, max_examples=50)
@given(
    st_numpy.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans(), fill=st.just(True))
)
def test_calibration_rectangle_is_the_largest_that_is_sampled(sampled: np.ndarray) -> None:
    mask = torch.from_numpy(sampled)
    centre = [n // 2 for n in mask.shape]

    def is_full(rows: int, columns: int) -> bool:
        top, left = centre[0] - rows // 2, centre[1] - columns // 2
        return bool(mask[top : top + rows, left : left + columns].all())

    sizes = [(r, c) for r in range(1, len(mask) + 1) for c in range(1, mask.shape[1] + 1) if is_full(r, c)]
    assert calibration_size(mask) == max(sizes, key=lambda size: (min(size), size[0] * size[1]), default=(0, 0))


@pytest.mark.parametrize(
    ("mask", "size"),
    [
        (torch.ones(9, 12, dtype=torch.bool), (9, 12)),
        (equispaced(9, 12, 4, 6, 1), (9, 7)),
        (equispaced(9, 12, 20, 3), (9, 3)),
        (torch.zeros(9, 12, dtype=torch.bool), (0, 0)),
    ],
    ids=["full", "lines that a regular one extends", "lines", "nothing"],
)
def test_calibration_size_of_usual_masks(mask: Tensor, size: tuple[int, int]) -> None:
    assert calibration_size(mask) == size


def test_noise_alone_is_one_and_signal_is_far_above() -> None:
    noise, full = covariance(6, torch.Generator().manual_seed(0)), torch.ones(ROWS, COLUMNS, dtype=torch.bool)
    ratios = [
        signal_over_noise(calibration_square(noise_kspace(noise, ROWS, COLUMNS, seed), full, None), noise)
        for seed in range(20)
    ]
    assert 0.85 < sum(ratios) / 20 < 1.1 and max(ratios) < 1.5
    square = calibration_square(noise_kspace(noise, ROWS, COLUMNS), full, None)
    assert signal_over_noise(square + 5 * noise.level, noise) > 20


def test_the_share_that_maps_do_not_explain_is_exact() -> None:
    """Data of two sets of maps at right angles: one of them explains its own part of the power."""
    maps = smooth_maps(4, ROWS, COLUMNS, torch.complex128)
    others = maps * torch.tensor([1, -1, 1, -1])[:, None, None]
    others = others - maps * (maps.conj() * others).sum(0)
    others = others / torch.linalg.vector_norm(others, dim=0)
    y, x = torch.linspace(-1, 1, ROWS)[:, None], torch.linspace(-1, 1, COLUMNS)
    blob = torch.exp(-4 * (y**2 + x**2)).to(torch.complex128)  # as smooth as its low-resolution image
    full, noise = torch.ones(ROWS, COLUMNS, dtype=torch.bool), covariance(4, torch.Generator().manual_seed(0), 1e-9)
    for weight in (0.0, 0.3, 1.0):
        kspace = centered_fft(((1 - weight) ** 0.5 * maps + weight**0.5 * others) * blob)
        share = unexplained_share(calibration_square(kspace, full, None), maps, noise)
        assert share == pytest.approx(weight, abs=0.03)


def test_noise_is_no_fault_of_the_maps() -> None:
    maps = smooth_maps(4, ROWS, COLUMNS, torch.complex128)
    full, noise = torch.ones(ROWS, COLUMNS, dtype=torch.bool), covariance(4, torch.Generator().manual_seed(0), 3.0)
    y, x = torch.linspace(-1, 1, ROWS)[:, None], torch.linspace(-1, 1, COLUMNS)
    clean = centered_fft(maps * torch.exp(-4 * (y**2 + x**2)))
    shares = [
        unexplained_share(calibration_square(clean + noise_kspace(noise, ROWS, COLUMNS, seed), full, None), maps, noise)
        for seed in range(10)
    ]
    raw = noise.level**2 * 3 / 4 * 24 * 24 * 0.14 / float((clean.abs().square()).sum())
    assert raw > 0.03, "the noise alone would be a doubt"
    assert sum(shares) / 10 < 0.5 * raw
