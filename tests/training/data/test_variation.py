import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft
from mri_noise.training.data.draws import Draws
from mri_noise.training.data.random_masks import RandomMasks
from mri_noise.training.data.variation import (
    random_coils,
    random_phase,
    rough_phase,
    with_coils,
    with_phase,
)
from mri_noise.training.example import Acquisition
from tests.problems import equispaced
from tests.training.acquisitions import acquisition, image

MASKS = RandomMasks(kinds=("equispaced", "random-2d"), acceleration=(1.5, 4), n_calibration=(2, 6))


def combined(one: Acquisition) -> torch.Tensor:
    return Sense(one.coil_maps, one.mask).adjoint(one.kspace)


def test_a_phase_is_added_to_the_object_and_nothing_else_changes() -> None:
    one = acquisition()
    phase = random_phase((24, 20), 4.0, np.random.default_rng(1))
    varied = with_phase(one, phase)
    torch.testing.assert_close(combined(varied), image(24, 20) * torch.exp(1j * phase), atol=1e-5, rtol=0)
    assert varied.coil_maps is one.coil_maps


def test_noise_keeps_its_level_and_stays_white() -> None:
    """The energy of white noise is 1 +- 1 / sqrt(n) of its expectation, and its neighbours do not correlate."""
    noise = torch.randn(4, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.complex64)
    one = acquisition(64, 64, 4)
    phase = random_phase((64, 64), 5.0, np.random.default_rng(0))
    kspace = with_phase(Acquisition(noise, one.mask, one.coil_maps, 1.0, (-1,)), phase).kspace
    error = 1 / noise.numel() ** 0.5
    assert abs(float(kspace.abs().square().mean()) - 1) < 4 * error
    assert abs(complex((kspace[..., 1:] * kspace[..., :-1].conj()).mean())) < 4 * error


@given(seed=st.integers(0, 99), rows=st.integers(8, 40))
@settings(deadline=None, max_examples=20)
def test_a_phase_is_smooth_and_of_the_amplitude_asked_for(seed: int, rows: int) -> None:
    phase = random_phase((rows, 32), 2.0, np.random.default_rng(seed))
    assert phase.shape == (rows, 32)
    assert float(phase.abs().max()) < 2.0 * 6
    assert float(random_phase((rows, 32), 0.0, np.random.default_rng(seed)).abs().max()) == 0


@pytest.mark.parametrize("chosen", [[0, 2], [1], [0, 1, 2]])
def test_some_coils_explain_their_kspace_as_all_do(chosen: list[int]) -> None:
    one = acquisition(noise_level=0.02)
    kept = with_coils(one, torch.tensor(chosen))
    torch.testing.assert_close(kept.coil_maps.abs().square().sum(0), torch.ones(24, 20))
    bright = float((one.kspace[chosen] / kept.kspace).real.mean())
    torch.testing.assert_close(kept.kspace * bright, one.kspace[chosen])
    assert kept.noise_level * bright == pytest.approx(one.noise_level, rel=1e-5)
    noiseless = acquisition()
    explained = with_coils(noiseless, torch.tensor(chosen))
    image_ = combined(explained)
    torch.testing.assert_close(explained.kspace, centered_fft(explained.coil_maps * image_), atol=1e-4, rtol=0)
    assert float(torch.quantile(image_.abs(), 0.99)) == pytest.approx(1, rel=1e-4)


def test_where_the_kept_coils_have_no_maps_there_are_none() -> None:
    one = acquisition()
    one.coil_maps[0, :4] = 0
    assert not bool(with_coils(one, torch.tensor([0])).coil_maps[:, :4].any())
    assert bool(with_coils(one, torch.tensor([0])).kspace.isfinite().all())


def test_coils_that_see_next_to_nothing_are_not_kept_alone() -> None:
    """Their image, scaled to be as bright as any, would be noise of any size."""
    one = acquisition()
    one.coil_maps[0] = 0
    assert with_coils(one, torch.tensor([0])) is one


@given(n=st.integers(3, 16), seed=st.integers(0, 999))
def test_two_coils_or_more_are_kept(n: int, seed: int) -> None:
    chosen = random_coils(n, np.random.default_rng(seed)).tolist()
    assert chosen == sorted(set(chosen))
    assert 2 <= len(chosen) <= n
    assert max(chosen) < n


def disc(rows: int = 64, columns: int = 64, radius: float = 24) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(rows) - rows / 2, torch.arange(columns) - columns / 2, indexing="ij")
    return (y.square() + x.square() < radius**2).to(torch.complex64)


@given(seed=st.integers(0, 999), rows=st.integers(4, 40))
@settings(deadline=None, max_examples=30)
def test_a_rough_phase_is_finite_and_has_the_shape_of_the_image(seed: int, rows: int) -> None:
    for one in (disc(rows, 32, 12.0), torch.zeros(rows, 32, dtype=torch.complex64)):
        phase = rough_phase(one, 2.0, np.random.default_rng(seed))
        assert phase.shape == (rows, 32)
        assert phase.dtype == torch.float32
        assert bool(phase.isfinite().all())
    assert not bool(rough_phase(disc(), 0.0, np.random.default_rng(seed)).any())


def test_rough_phases_vary_within_few_pixels_where_smooth_ones_do_not() -> None:
    """Standard deviation of the difference of neighbours over that of the phase, in the object."""

    def roughness(phase: torch.Tensor) -> float:
        inside = disc().bool()
        steps = (phase[1:] - phase[:-1])[inside[1:] & inside[:-1]]
        return float(steps.std() / phase[inside].std())

    rough = [roughness(rough_phase(disc(), 2.0, np.random.default_rng(seed))) for seed in range(40)]
    smooth = [roughness(random_phase((64, 64), 2.0, np.random.default_rng(seed))) for seed in range(40)]
    assert np.median(rough) > 3 * np.median(smooth)


def test_most_rough_phases_lie_along_the_rim() -> None:
    """The middle of a wide disc is 24 pixels from its rim, two widths of the widest: exp(-4) of the phase is left."""
    share = []
    for seed in range(200):
        phase = rough_phase(disc(), 2.0, np.random.default_rng(seed)).abs()
        share.append(float(phase[28:36, 28:36].max() / phase.max()))
    n_rims = sum(value < 0.03 for value in share)
    assert 0.6 * 200 - 4 * 7 < n_rims < 0.6 * 200 + 4 * 7 + 0.2 * 200  # binomial, of standard deviation 7; some sides


def test_draws_add_rough_phases_in_the_share_asked_for() -> None:
    draws = Draws(masks=MASKS, flips=False, rough_phase=0.5, noise_level=(1e-6, 1e-6))
    targets = [draws(acquisition(), seed, labelled=True).target for seed in range(64)]
    n_rough = 0
    for target in targets:
        assert target is not None
        torch.testing.assert_close(target.abs(), image(24, 20).abs(), atol=1e-4, rtol=0)
        n_rough += not torch.allclose(target, image(24, 20), atol=1e-4)
    assert abs(n_rough - 32) < 4 * 4  # binomial, of standard deviation 4


def test_draws_vary_what_was_fully_sampled_and_leave_the_rest() -> None:
    draws = Draws(masks=MASKS, phase=3.0, fewer_coils=1.0)
    plain = draws.model_copy(update={"phase": 0.0, "fewer_coils": 0.0})
    varied = [draws(acquisition(n_coils=6), seed, labelled=True) for seed in range(12)]
    assert {len(example.kspace) for example in varied} > {2, 3}
    for example in varied:
        assert example.target is not None
        torch.testing.assert_close(example.coil_maps.abs().square().sum(0), torch.ones(example.mask.shape))
    undersampled = acquisition(mask=equispaced(24, 20, 2, 4))
    one, other = (choice(undersampled, 3, labelled=False) for choice in (draws, plain))
    assert torch.equal(one.kspace, other.kspace)
