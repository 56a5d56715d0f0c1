import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.variance.estimate import Moments, unit_phase


def _samples(n: int, generator: torch.Generator) -> torch.Tensor:
    """Correlated, non-circular, skewed samples of a 2 x 3 image with an offset."""
    a = torch.randn(n, 2, 3, generator=generator, dtype=torch.float64)
    b = 0.5 * a**2 + torch.randn(n, 2, 3, generator=generator, dtype=torch.float64)
    return torch.complex(a + 3, b - 1)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 40), chunk=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_replica_moments_are_the_sample_moments(n: int, chunk: int, seed: int) -> None:
    d = _samples(n, torch.Generator().manual_seed(seed))
    moments = Moments(centred=True)
    for part in torch.split(d, chunk):
        moments.add(part, part.abs())
    got = moments.estimate(n_evaluations=n, n_total=n)
    centred = d - d.mean(0)
    torch.testing.assert_close(got.channels["complex"].variance, d.var(0))
    torch.testing.assert_close(got.variance_magnitude, d.abs().var(0))
    torch.testing.assert_close(
        got.channels["real"].variance + got.channels["imaginary"].variance, got.channels["complex"].variance
    )
    power = centred.abs() ** 2
    bound = power.var(0, correction=0) + 2 * power.mean(0) ** 2 / (n - 1)
    expected = n / (n - 1) * (bound / n).sqrt()
    torch.testing.assert_close(got.channels["complex"].standard_error, expected, rtol=1e-6, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_probe_moments_are_about_zero(n: int, seed: int) -> None:
    d = _samples(n, torch.Generator().manual_seed(seed))
    moments = Moments(centred=False)
    moments.add(d, d.real)
    got = moments.estimate(n_evaluations=n, n_total=n)
    power = d.abs() ** 2
    torch.testing.assert_close(got.channels["complex"].variance, power.mean(0))
    torch.testing.assert_close(got.channels["complex"].standard_error, (power.var(0) / n).sqrt(), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(got.variance_magnitude, got.channels["real"].variance)


def test_standard_error_is_that_of_the_estimates() -> None:
    """Over many independent estimates their scatter is the standard error that each of them claims."""
    generator = torch.Generator().manual_seed(1)
    variances, errors = [], []
    for _ in range(400):
        moments = Moments(centred=True)
        d = _samples(200, generator)
        moments.add(d, d.abs())
        estimate = moments.estimate(n_evaluations=200, n_total=200)
        variances.append(estimate.channels["complex"].variance)
        errors.append(estimate.channels["complex"].standard_error)
    scatter = torch.stack(variances).std(0)
    claimed = torch.stack(errors).square().mean(0).sqrt()
    relative_error_of_scatter = (2 * 399) ** -0.5
    # the claim is itself biased by a few per cent at 200 samples of a heavy-tailed power
    assert ((scatter / claimed - 1).abs() < 4 * relative_error_of_scatter + 0.05).all()


def test_one_sample_has_no_error_bar() -> None:
    moments = Moments(centred=False)
    moments.add(torch.ones(1, 2, 2, dtype=torch.complex64), torch.ones(1, 2, 2))
    estimate = moments.estimate(n_evaluations=1, n_total=2)
    assert torch.isinf(estimate.channels["complex"].standard_error).all()
    assert not estimate.complete


def test_no_samples_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        Moments(centred=True).estimate(n_evaluations=0, n_total=1)


def test_unit_phase_of_zero_is_one() -> None:
    image = torch.tensor([[0, 2j, -3]], dtype=torch.complex64)
    torch.testing.assert_close(unit_phase(image), torch.tensor([[1, 1j, -1]], dtype=torch.complex64))
