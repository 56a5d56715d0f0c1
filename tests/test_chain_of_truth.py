"""Closed form = exact Jacobian = sketch = Monte Carlo, in units of their own standard errors."""

from dataclasses import replace

import pytest
import torch

from mri_noise.acquisition.noise import Noise, NoiseShaping, whitening_matrix
from mri_noise.recon.linear import CGSense
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.variance.closed_form import sense_variance, tikhonov_sense_variance
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.cases import RECONSTRUCTIONS, reconstructor
from tests.problems import Problem, equispaced, point_of, problem

ROWS, COLUMNS = 8, 12
LINEAR = ("zero-filled", "CG-SENSE")
NETWORKS = tuple(name for name in RECONSTRUCTIONS if name not in LINEAR)


def _final(p: Problem, reconstruct: Reconstructor, method: Sketch | MonteCarlo | Exact) -> VarianceEstimate:
    *_, last = method(point_of(p, reconstruct), torch.Generator().manual_seed(11))
    return last


def _quiet(p: Problem, factor: float) -> Problem:
    """The same problem with less noise, where a network is as good as linear."""
    return replace(p, noise=Noise(factor**2 * p.noise.covariance, "test"))


def _white(p: Problem) -> Problem:
    """The same problem with its noise prewhitened: the optimum of CG-SENSE is then that of SENSE."""
    return replace(p, noise=whitening_matrix(p.noise)[1])


def _require_agreement(estimate: VarianceEstimate, truth: VarianceEstimate) -> None:
    """Complex and magnitude variance agree over 96 voxels, which are correlated with each other."""
    channels: tuple[Channel, ...] = ("complex", "magnitude")
    for channel in channels:
        difference = estimate.channels[channel].variance - truth.channels[channel].variance
        errors = [each.channels[channel].standard_error for each in (estimate, truth)]
        z = difference / torch.hypot(*errors)
        assert z.abs().max() < 4.5
        assert 0.4 < z.square().mean() < 2.0


@pytest.mark.parametrize("acceleration", [1, 2, 3])
def test_unregularised_sense(acceleration: int) -> None:
    p = _white(problem(ROWS, COLUMNS, 4, equispaced(ROWS, COLUMNS, acceleration)))
    closed = sense_variance(p.encoding.coil_maps, p.noise.covariance, p.encoding.mask)
    exact = _final(p, CGSense(tikhonov=0, max_iterations=2000)(), Exact())
    torch.testing.assert_close(exact.channels["complex"].variance, closed, rtol=1e-6, atol=0)


@pytest.mark.parametrize("mask", [equispaced(ROWS, COLUMNS, 2, 4), equispaced(ROWS, COLUMNS, 3, offset=1)])
def test_tikhonov_sense(mask: torch.Tensor) -> None:
    p = problem(ROWS, COLUMNS, 3, mask)
    closed = tikhonov_sense_variance(p.encoding.coil_maps, p.noise.covariance, p.encoding.mask, 0.02)
    exact = _final(p, CGSense(tikhonov=0.02)(), Exact())
    torch.testing.assert_close(exact.channels["complex"].variance, closed, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("method", [Sketch(n_probes=600, batch=50), MonteCarlo(n_replicas=600, batch=50)])
def test_sampling_of_linear_reconstructions(name: str, method: Sketch | MonteCarlo) -> None:
    p = _quiet(problem(ROWS, COLUMNS, 3), 0.05)
    _require_agreement(_final(p, reconstructor(name), method), _final(p, reconstructor(name), Exact()))


@pytest.mark.parametrize("name", NETWORKS)
def test_sketch_of_every_network(name: str) -> None:
    p = problem(ROWS, COLUMNS, 3)
    sketch = _final(p, reconstructor(name), Sketch(n_probes=400, batch=50))
    _require_agreement(sketch, _final(p, reconstructor(name), Exact(batch=50)))


@pytest.mark.parametrize("name", NETWORKS)
def test_monte_carlo_of_every_network_at_low_noise(name: str) -> None:
    """Voxels of a normalised network err alike: their mean square is no average over many, and takes more replicas."""
    p = _quiet(problem(ROWS, COLUMNS, 3), 1e-4)
    replicas = _final(p, reconstructor(name), MonteCarlo(n_replicas=1600, batch=200))
    _require_agreement(replicas, _final(p, reconstructor(name), Exact(batch=50)))


def test_a_wrong_noise_convention_would_be_seen() -> None:
    """The agreement above is a check that can fail: half the variance is many standard errors off."""
    p = problem(ROWS, COLUMNS, 3)
    exact = _final(p, reconstructor("CG-SENSE"), Exact())
    half = _final(_quiet(p, 0.5**0.5), reconstructor("CG-SENSE"), Sketch(n_probes=600, batch=50))
    z = (half.channels["complex"].variance - exact.channels["complex"].variance) / half.channels[
        "complex"
    ].standard_error
    assert z.mean() < -5
    assert NoiseShaping.of(p.noise, p.encoding.mask).factor.shape == (3, 3)
