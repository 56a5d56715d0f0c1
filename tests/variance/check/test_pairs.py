"""Pairs of opposite noise say what a reconstruction does to noise, and what its linear part leaves out of it."""

import pytest
import torch

from mri_noise.variance.check.pairs import Pairs, compute_pairs
from mri_noise.variance.estimate import CHANNELS, Channel
from mri_noise.variance.linearise.draws import Draws
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from tests.cases import reconstructor
from tests.problems import Curved, louder, point_of, problem

N_REPLICAS = 4000


def _draws(n_pairs: int, seed: int = 0) -> Draws:
    return Draws.by(torch.Generator().manual_seed(seed), n_pairs)


@pytest.fixture(scope="module")
def curved() -> OperatingPoint:
    """A reconstruction that is not linear at its noise."""
    return louder(point_of(problem(), Curved(0.1)), 8.0)


@pytest.fixture(scope="module")
def pairs(curved: OperatingPoint) -> Pairs:
    return compute_pairs(curved, _draws(N_REPLICAS // 2), chunk=200)


@pytest.mark.parametrize("channel", CHANNELS)
def test_linear_part_and_excess_make_the_variance_of_replicas(
    curved: OperatingPoint, pairs: Pairs, channel: Channel
) -> None:
    """Without bias, whatever the linear part: here the derivative at the data, which is a tenth too small."""
    *_, exact = Exact()(curved, torch.Generator())
    *_, replicas = MonteCarlo(n_replicas=N_REPLICAS, batch=200)(curved, torch.Generator().manual_seed(5))
    linear, (truth, error) = exact.channels[channel].variance, replicas.channels[channel]
    excess, inside = pairs.excess(channel), curved.object
    total = linear[inside] + excess.mean(0)
    z = (total - truth[inside]) / torch.hypot(excess.std(0) / pairs.n**0.5, error[inside])
    assert abs(float(z.mean())) < 0.5  # neighbours share their noise
    assert 0.5 < float(z.square().mean()) < 1.6
    assert abs(float((linear[inside] - truth[inside]).mean() / error[inside].mean())) > 2, "nothing to be corrected"


def test_opposite_noise_and_the_linear_part_leave_less_to_be_sampled() -> None:
    """A pair is three evaluations; three replicas scatter more than it does."""
    pairs = compute_pairs(louder(point_of(problem(), Curved(0.1)), 2.0), _draws(400), chunk=200)
    of_pair, of_replica = pairs.excess("magnitude").var(0), 2 * pairs.power("magnitude").mean(0).square()
    assert float((of_pair / (of_replica / 3)).mean()) < 0.5


def test_pairs_of_a_linear_reconstruction_leave_nothing() -> None:
    pairs = compute_pairs(point_of(problem(), reconstructor("CG-SENSE")), _draws(3), chunk=2)
    assert pairs.n_evaluations == 9
    assert pairs.remainder("complex") < 1e-20
    assert float(pairs.excess("complex").abs().max()) < 1e-12 * float(pairs.power("complex").max())


def test_more_pairs_are_those_that_would_have_been_drawn_at_once(curved: OperatingPoint) -> None:
    first, all_at_once = (compute_pairs(curved, _draws(n), chunk=3) for n in (2, 7))
    more = compute_pairs(curved, _draws(7), chunk=2, skipped=2)
    joined = first.joined(more)
    assert joined.n == 7
    for name in ("odd", "even", "linear"):
        torch.testing.assert_close(getattr(joined, name), getattr(all_at_once, name))
