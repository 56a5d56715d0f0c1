import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.noise import (
    Noise,
    NoiseShaping,
    noise_from_covariance,
    noise_from_samples,
    noise_of_level,
    shrunk,
    white_probes,
    whitening_matrix,
)
from tests.problems import covariance, covariance_z, equispaced, noise_kspace


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_covariance_of_noise_samples() -> None:
    noise = covariance(3, _generator())
    kspace = noise_kspace(noise)
    estimate = noise_from_samples(kspace.flatten(1), "prescan").covariance
    assert (covariance_z(estimate, noise.covariance, 64 * 48) < 4).all()
    assert (covariance_z(2 * estimate, noise.covariance, 64 * 48) > 10).any(), (
        "a wrong convention (variance of one part) shows"
    )


@pytest.mark.parametrize(
    ("matrix", "complaint"),
    [
        ([[1, 1j], [1j, 1]], "should be Hermitian"),
        ([[1, 2], [2, 1]], "should be positive definite"),
        ([[0, 0], [0, 0]], "should be positive definite"),
        ([[float("nan"), 0], [0, 1]], "should be finite"),
    ],
)
def test_a_matrix_that_is_no_covariance_is_refused(matrix: list[list[complex]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Noise(torch.tensor(matrix, dtype=torch.complex128), "test")


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="4 coils needs at least 16 noise samples, got 15"):
        noise_from_samples(torch.zeros(4, 15, dtype=torch.complex64), "test")
    with pytest.raises(ValueError, match="from at least 16 samples, got 15"):
        noise_from_covariance(torch.eye(4, dtype=torch.complex128), "test", 15)


def _correlated(n_coils: int) -> torch.Tensor:
    """Correlations that fall with the distance on a ring, levels that differ by a factor of three."""
    steps = torch.arange(n_coils, dtype=torch.float64)
    apart = (steps[:, None] - steps).abs()
    levels = 3 ** (steps / n_coils)
    return (0.4 ** torch.minimum(apart, n_coils - apart) * levels[:, None] * levels).to(torch.complex128)


def _estimated(psi: torch.Tensor, n_samples: int, generator: torch.Generator, stored: str) -> Noise:
    white = torch.randn(len(psi), n_samples, generator=generator, dtype=torch.complex128)
    samples = torch.linalg.cholesky(psi) @ white
    if stored == "samples":
        return noise_from_samples(samples, "test")
    return noise_from_covariance(samples @ samples.mH / n_samples, "test", n_samples)


def _said_over_true(psi: torch.Tensor, noise: Noise, coil_maps: torch.Tensor) -> torch.Tensor:
    """Variance of SENSE combinations in the whitened coils: as the noise says it, over what it is."""
    matrix, after = whitening_matrix(noise)
    maps = matrix @ coil_maps
    weights = torch.linalg.solve(maps.mH @ maps, maps.mH)
    said, true = (weights @ each @ weights.mH for each in (after.covariance, matrix @ psi @ matrix.mH))
    return said.diagonal().real[0] / true.diagonal().real[0]


@pytest.mark.parametrize("stored", ["samples", "covariance"])
@pytest.mark.parametrize("n_aliased", [1, 3])
@pytest.mark.parametrize(
    ("n_coils", "n_samples", "n_draws"),
    [(1, 4, 300), (2, 8, 300), (4, 64, 200), (14, 384, 100), (16, 64, 200), (32, 256, 60), (60, 256, 30),
     (64, 256, 30), (64, 4096, 4), (8, 100_000, 3)],
)  # fmt: skip
def test_noise_after_whitening_is_what_few_samples_can_say_without_bias(
    n_coils: int, n_samples: int, n_draws: int, n_aliased: int, stored: str
) -> None:
    """n said / true is a Gamma variable of shape n, n half of the samples: of mean and of variance n."""
    psi, generator = _correlated(n_coils), torch.Generator().manual_seed(n_coils)
    coil_maps = torch.randn(n_coils, min(n_aliased, n_coils), generator=generator, dtype=torch.complex128)
    drawn = [_estimated(psi, n_samples, generator, stored) for _ in range(n_draws)]
    if stored == "covariance":  # the draw of the halves must not be the same each time here
        drawn = [_redrawn(noise, seed) for seed, noise in enumerate(drawn)]
    ratios = torch.stack([_said_over_true(psi, noise, coil_maps) for noise in drawn])
    n = n_samples - n_samples // 2
    assert abs(float(ratios.mean()) - 1) < 4 / (n * n_draws) ** 0.5
    assert whitening_matrix(drawn[0])[1].uncertainty == pytest.approx(0.5 / n**0.5)
    if n > 20:  # where a Gamma variable is near a normal one
        assert float((n * (ratios - 1).square()).mean()) == pytest.approx(1, abs=4 * (2 / n_draws) ** 0.5)


def _redrawn(noise: Noise, seed: int) -> Noise:
    """As if another number had seeded the halves of a covariance."""
    return noise_from_covariance(noise.covariance, noise.source, noise.n_samples, seed=seed)


def test_halves_of_a_covariance_add_up_to_it() -> None:
    noise = noise_from_covariance(_correlated(5), "test", 31)
    assert noise.halves is not None
    torch.testing.assert_close((15 * noise.halves[0] + 16 * noise.halves[1]) / 31, noise.covariance)
    again = noise_from_covariance(_correlated(5), "test", 31).halves
    assert again is not None and all(map(torch.equal, noise.halves, again))


def test_an_exact_covariance_has_no_error() -> None:
    noise = noise_from_covariance(_correlated(5), "test", None)
    assert (noise.halves, noise.n_samples, noise.uncertainty) == (None, None, 0.0)
    assert whitening_matrix(noise)[1].uncertainty == 0


def test_the_level_is_the_root_mean_square_over_coils() -> None:
    noise = noise_from_covariance(torch.diag(torch.tensor([1.0, 4.0, 13.0])).to(torch.complex128), "test", 50)
    assert noise.level == pytest.approx(6**0.5)
    twice = noise.scaled(4.0)
    assert twice.level == pytest.approx(2 * 6**0.5)
    assert twice.n_samples == 50 and twice.halves is not None and noise.halves is not None
    torch.testing.assert_close(twice.halves[1], 4 * noise.halves[1])


def test_shrinking_keeps_levels_and_takes_correlations_that_are_errors() -> None:
    """With white noise sum |r|^2 is, on average, the sum of Var(r): nothing of the correlations should be left."""
    generator, n_coils, n_samples, left = torch.Generator().manual_seed(0), 32, 128, []
    for _ in range(20):
        samples = torch.randn(n_coils, n_samples, generator=generator, dtype=torch.complex128)
        estimate = samples @ samples.mH / n_samples
        kept = shrunk(estimate, n_samples)
        assert torch.equal(kept.diagonal(), estimate.diagonal())
        left.append(float(kept[0, 1].abs() / estimate[0, 1].abs()))
    assert sum(left) / len(left) < 0.05
    many = _correlated(32)
    torch.testing.assert_close(shrunk(many, 10**9), many)
    exact = noise_of_level(2.0, 4).covariance
    assert torch.equal(shrunk(exact, 10), exact)


def test_shrinking_whitens_better_than_few_samples_alone() -> None:
    """Noise of an optimal combination over that of the true optimum, on average over draws."""
    psi, generator = _correlated(32), torch.Generator().manual_seed(1)
    ones = torch.ones(32, 1, dtype=torch.complex128)
    optimum = 1 / (ones.mH @ torch.linalg.solve(psi, ones)).real
    lost = {True: 0.0, False: 0.0}
    for _ in range(30):
        samples = torch.linalg.cholesky(psi) @ torch.randn(32, 128, generator=generator, dtype=torch.complex128)
        estimate = samples @ samples.mH / 128
        for shrinks in lost:
            weights = torch.linalg.solve(shrunk(estimate, 128) if shrinks else estimate, ones)
            weights = weights / weights.sum()
            lost[shrinks] += float((weights.mH @ psi @ weights).real / optimum) / 30
    expected = (128 - 1) / (128 - 32)  # mean of 1 / Beta(n - p + 2, p - 1) is n / (n - p + 1), to this order
    assert lost[False] == pytest.approx(expected, rel=0.05)
    assert lost[True] < 1 + 0.6 * (expected - 1)


@settings(max_examples=20, deadline=None)
@given(n_coils=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_whitening_makes_coils_equal_and_uncorrelated_and_keeps_the_scale(n_coils: int, seed: int) -> None:
    noise = covariance(n_coils, _generator(seed))
    matrix, white = whitening_matrix(noise)
    mean = noise.covariance.diagonal().real.mean()
    expected = (mean * torch.eye(n_coils)).to(torch.complex128)
    torch.testing.assert_close(matrix @ noise.covariance @ matrix.mH, expected)
    torch.testing.assert_close(white.covariance, expected)


def test_colouring_gives_noise_of_the_covariance_where_sampled() -> None:
    noise, mask = covariance(3, _generator()), equispaced(16, 12, 2)
    noise_shaping = NoiseShaping.of(noise, mask, torch.complex128)
    probes = next(white_probes(60, noise_shaping.in_shape, _generator(), torch.zeros(1, dtype=torch.complex128),
                               draw="gaussian", chunk=60))  # fmt: skip
    shaped = noise_shaping(probes)
    assert (shaped[..., ~mask] == 0).all()
    samples = shaped[..., mask].transpose(0, 1).flatten(1)
    estimate = samples @ samples.mH / samples.shape[1]
    assert (covariance_z(estimate, noise.covariance, samples.shape[1]) < 4).all()


@pytest.mark.parametrize("draw", ["gaussian", "random phase"])
def test_probes_are_white_and_circular(draw: str) -> None:
    like = torch.zeros(1, dtype=torch.complex128)
    v = next(white_probes(4000, (3,), _generator(), like, draw=draw, chunk=4000))  # type: ignore[arg-type]
    assert v.shape == (4000, 3)
    covariance_error = (v.mH @ v / 4000 - torch.eye(3)).abs()
    pseudo = (v.mT @ v / 4000).abs()
    assert (covariance_error < 5 / 4000**0.5).all()
    assert (pseudo < 5 * (2 / 4000) ** 0.5).all()


@pytest.mark.parametrize("draw", ["gaussian", "random phase"])
def test_probes_do_not_depend_on_the_chunk(draw: str) -> None:
    like = torch.zeros(1, dtype=torch.complex64)
    chunks = [
        torch.cat(list(white_probes(7, (2, 3), _generator(), like, draw=draw, chunk=chunk)))  # type: ignore[arg-type]
        for chunk in (1, 3, 7)
    ]
    assert torch.equal(chunks[0], chunks[1])
    assert torch.equal(chunks[0], chunks[2])
