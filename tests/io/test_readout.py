import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.io.readout import (
    crop_readout,
    readout_fft,
    readout_ifft,
    remaining_samples,
    remove_oversampling,
    resample,
)
from tests.io.ismrmrd_files import fft_along, ifft_along, random_complex

lengths = st.integers(1, 24).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@settings(max_examples=30, deadline=None)
@given(lengths=lengths)
def test_removing_oversampling_keeps_white_noise_white_and_its_variance(lengths: tuple[int, int]) -> None:
    """The rows of the map A are orthonormal: A A^H = 1 turns a covariance of 1 into a covariance of 1."""
    n_samples, n_readout = lengths
    transposed = remove_oversampling(torch.eye(n_samples, dtype=torch.complex128), n_readout)
    gram = transposed.mT @ transposed.conj()
    torch.testing.assert_close(gram, torch.eye(n_readout, dtype=torch.complex128))


@settings(max_examples=30, deadline=None)
@given(lengths=lengths, seed=st.integers(0, 99))
def test_it_is_the_transform_of_the_middle_of_the_profile(lengths: tuple[int, int], seed: int) -> None:
    n_samples, n_readout = lengths
    lines = random_complex(np.random.default_rng(seed), 3, n_samples).astype(np.complex128)
    start = n_samples // 2 - n_readout // 2
    expected = fft_along(ifft_along(lines, 1)[:, start : start + n_readout], 1)
    np.testing.assert_allclose(remove_oversampling(torch.from_numpy(lines), n_readout).numpy(), expected, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 17))
def test_the_transforms_are_inverse_and_follow_their_definition(n: int) -> None:
    lines = torch.from_numpy(random_complex(np.random.default_rng(n), 2, n).astype(np.complex128))
    torch.testing.assert_close(readout_fft(readout_ifft(lines)), lines)
    np.testing.assert_allclose(readout_ifft(lines).numpy(), ifft_along(lines.numpy(), 1), atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(lengths=lengths)
def test_remaining_samples_lie_in_the_line_and_keep_its_centre(lengths: tuple[int, int]) -> None:
    n_samples, n_readout = lengths
    places = remaining_samples(n_samples, n_readout)
    assert int(places.min()) >= 0 and int(places.max()) < n_samples
    assert int(places[n_readout // 2]) == n_samples // 2
    assert len(set(places.tolist())) == n_readout


def test_the_centre_stays_the_centre() -> None:
    assert crop_readout(torch.arange(9), 4).tolist() == [2, 3, 4, 5]
    assert crop_readout(torch.arange(8), 3).tolist() == [3, 4, 5]


@pytest.mark.parametrize(("n", "n_new"), [(4, 7), (5, 8), (8, 5), (6, 6)])
def test_resampling_keeps_what_the_middle_of_kspace_shows(n: int, n_new: int) -> None:
    line = random_complex(np.random.default_rng(n), 2, n).astype(np.complex128)
    expected = np.zeros((2, n_new), dtype=np.complex128)
    steps = np.arange(min(n, n_new)) - min(n, n_new) // 2
    expected[:, n_new // 2 + steps] = line[:, n // 2 + steps]
    resampled = resample(readout_ifft(torch.from_numpy(line)), n_new)
    np.testing.assert_allclose(readout_fft(resampled).numpy(), expected, atol=1e-12)
