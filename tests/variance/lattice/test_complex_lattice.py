"""Quadrature pairs, against exact answers in units of what their own errors say."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.errors import Sums, nrmse, pooled
from mri_noise.variance.lattice.probes import BothProducts
from mri_noise.variance.lattice.probing import QuadraturePairs, probe
from mri_noise.variance.plan import Lattice, Plan
from mri_noise.variance.sampling.exact import Exact
from tests.cases import reconstructor
from tests.problems import point_of, problem
from tests.variance.operators import random_operator, random_region

SIZES = st.integers(1, 5)


@given(SIZES, SIZES, st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_the_error_has_the_mean_and_the_variance_that_theory_says(
    rows: int, columns: int, a: int, c: int, seed: int
) -> None:
    """For any real-linear operator, shape and object; the imaginary part has the variance of the error."""
    generator = torch.Generator().manual_seed(seed)
    operator, image = random_operator(rows, columns, generator)
    region = random_region(rows, columns, generator)
    lattice, n_pairs = Lattice(a, c, seed % c), 120
    plan = Plan(lattice, 1, 0.01, 0.01, 6, 0.01, 2)
    pairs = QuadraturePairs(image, region, plan, BothProducts(operator, 3), 0.01)
    sums = Sums.zeros(pairs.n_values, rows, columns, device=region.device)
    for _ in range(n_pairs):
        *_, pair = pairs.draw(generator)
        sums = sums.plus(pair.values[None])
    covariance = operator.p @ operator.p.mH + operator.q @ operator.q.mH
    pseudo = operator.p @ operator.q.mT + operator.q @ operator.p.mT
    inside, flat = region.flatten(), pairs.colours.flatten()
    together = (flat[:, None] == flat) & inside[:, None] & inside & ~torch.eye(len(inside), dtype=torch.bool)
    spread = ((covariance.abs().square() + pseudo.abs().square()) * together).sum(1)[inside] / 4
    for found, truth, theory in (
        (sums.mean[0], covariance.diagonal().real, spread),
        (sums.mean[1], operator.magnitude_covariance(image).diagonal(), spread / 2),
    ):
        difference = (found.flatten() - truth)[inside]
        alone = theory == 0
        assert torch.allclose(difference[alone], torch.zeros_like(difference[alone]), atol=1e-9)
        z = difference[~alone] / (theory[~alone] / n_pairs).sqrt()
        assert z.numel() == 0 or z.abs().max() < 5
    mean_square = (sums.second[2] / n_pairs)[region]
    assert torch.allclose(mean_square[spread > 0], spread[spread > 0], rtol=0.7)


@pytest.mark.parametrize("name", ["U-Net of magnitudes", "unrolled"])
def test_a_network_within_the_target(name: str) -> None:
    point = point_of(problem(rows=16, columns=18), reconstructor(name))
    *_, exact = Exact()(point, torch.Generator())
    method = ComplexLatticeProbing(target=0.1)
    errors, z = [], []
    for seed in range(6):
        *_, last = method(point, torch.Generator().manual_seed(seed))
        assert last.complete
        assert last.plan is not None
        assert last.n_evaluations == last.plan.n_evaluations + last.plan.evaluations_per_product * last.n_samples
        assert set(last.channels) == {"magnitude", "complex"}
        sigma, truth = (each.channels["complex"].variance.sqrt() for each in (last, exact))
        errors.append(float((sigma - truth).norm() / truth.norm()))
        for channel, (variance, error) in last.channels.items():
            z.append((variance - exact.channels[channel][0]) / error)
    assert sorted(errors)[-2] < 0.1
    # 3456 variances, correlated within their colours, with errors pooled over a few voxels of uneven noise
    assert 0.6 < torch.stack(z).square().mean() < 2


def test_a_second_pair_goes_only_as_far_as_the_target_takes() -> None:
    generator = torch.Generator().manual_seed(0)
    operator, image = random_operator(12, 14, generator)
    region = torch.ones(12, 14, dtype=torch.bool)
    plan = Plan(Lattice(2, 5, 1), 1, 0.3, 0.3, 6, 0.3, 2)

    def last(target: float) -> tuple[int, float]:
        task, again = ComplexLatticeProbing(target=target).task, torch.Generator().manual_seed(1)
        wanted = replace(plan, target=target)
        *_, estimate = probe(BothProducts(operator, 1), image, region, wanted, again, task=task)
        assert estimate.complete
        assert estimate.n_evaluations == 2 * estimate.n_samples
        variance, error = estimate.channels["complex"]
        return estimate.n_samples, nrmse(pooled(variance, region), error.square(), region)

    n_probes, error = last(0.99)
    assert n_probes == 20
    n_more, smaller = last(1.1 * 0.95 * error)
    assert 20 < n_more < 40
    assert smaller <= 0.95 * error
