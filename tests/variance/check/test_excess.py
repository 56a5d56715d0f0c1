"""What pairs add to a variance: nothing, the neighbourhood's or the voxel's own, as far as they bear it out."""

import pytest
import torch
from torch import Tensor

from mri_noise.variance.check.excess import Excess, Shrunk
from mri_noise.variance.check.pairs import Pairs, compute_pairs
from mri_noise.variance.estimate import CHANNELS, ChannelVariance, VarianceEstimate
from mri_noise.variance.linearise.draws import Draws
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from tests.cases import reconstructor
from tests.problems import Curved, louder, point_of, problem

REGION = torch.ones(40, 44, dtype=torch.bool)
ROWS, COLUMNS = torch.meshgrid(torch.arange(40.0), torch.arange(44.0), indexing="ij")
SCATTER = 0.4
FLAT = torch.full_like(ROWS, 0.3)
SMOOTH = 0.2 * torch.sin(ROWS / 6) * torch.cos(COLUMNS / 7)
ROUGH = 0.4 * torch.randn(40, 44, generator=torch.Generator().manual_seed(9))


def _said(truth: Tensor, n_pairs: int, scatter: float, seed: int = 0) -> Tensor:
    noise = torch.randn(n_pairs, *truth.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (truth + scatter * noise)[:, REGION]


def _shrunk(said: Tensor) -> Shrunk:
    return Shrunk.of(said, torch.ones(said.shape[1], dtype=torch.float64), REGION)


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


@pytest.mark.parametrize(
    "truth",
    [0 * FLAT, FLAT, SMOOTH, ROUGH, FLAT + SMOOTH + ROUGH],
    ids=["none", "flat", "smooth", "rough", "all"],
)
@pytest.mark.parametrize("n_pairs", [4, 16, 64])
def test_the_mean_is_never_much_worse_than_the_best_of_its_scales_and_knows_its_error(
    truth: Tensor, n_pairs: int
) -> None:
    said = _said(truth, n_pairs, SCATTER)
    shrunk, wanted = _shrunk(said), truth[REGION].double()
    error = _rms(shrunk.value - wanted)
    plain = {"none": _rms(wanted), "flat": _rms(said.mean() - wanted), "own": _rms(said.mean(0) - wanted)}
    assert error < 1.1 * min(plain.values()) + 0.1 * SCATTER / n_pairs**0.5
    stated = float(shrunk.squared_error.mean().sqrt())
    known_to = SCATTER / n_pairs**0.5  # of a voxel by itself; the error is known to a share of that
    assert 0.8 * error - 0.1 * known_to < stated < 1.2 * error + 0.2 * known_to


def test_with_many_pairs_every_voxel_speaks_for_itself() -> None:
    said = _said(ROUGH, 4000, 1.0)
    torch.testing.assert_close(_shrunk(said).value, said.mean(0), atol=5e-3, rtol=0)


@pytest.mark.parametrize("truth", [ROUGH, FLAT + SMOOTH + ROUGH], ids=["rough", "all"])
def test_the_error_of_more_pairs_is_foretold(truth: Tensor) -> None:
    few, many = (_shrunk(_said(truth, n, SCATTER, seed=n)) for n in (8, 32))
    foretold = few.forecast(8 / 32).mean() / few.forecast(1.0).mean()
    found = many.squared_error.mean() / few.squared_error.mean()
    assert float(foretold) == pytest.approx(float(found), rel=0.3)


@pytest.fixture(scope="module")
def excess() -> Excess:
    """Of a reconstruction that is a tenth louder than its derivative at the data."""
    point = louder(point_of(problem(rows=24, columns=30), Curved(0.1)), 6.0)
    return Excess(compute_pairs(point, Draws.by(torch.Generator().manual_seed(1), 16), chunk=16))


def test_it_brings_a_map_to_what_replicas_show_and_its_error_is_stated(excess: Excess) -> None:
    point = louder(point_of(problem(rows=24, columns=30), Curved(0.1)), 6.0)
    *_, exact = Exact(batch=60)(point, torch.Generator())
    *_, replicas = MonteCarlo(n_replicas=6000, batch=200)(point, torch.Generator().manual_seed(5))
    whole, stated, true = excess.added_to(exact), 0.0, 0.0
    for channel in CHANNELS:
        (truth, of_truth), (found, error), linear = (
            replicas.channels[channel], whole.channels[channel], exact.channels[channel].variance
        )  # fmt: skip
        squared = [((each - truth).square() - of_truth.square()).sum() for each in (found, linear)]
        assert float(squared[0]) < 0.3 * float(squared[1])
        stated, true = stated + float(error.square().sum()), true + float(squared[0])
    assert 0.6 * true < stated < 3 * true
    scale = float(replicas.variance_magnitude.sum())
    true_bias = float((exact.variance_magnitude.sqrt() - replicas.variance_magnitude.sqrt()).square().sum() / scale)
    assert excess.bias**2 == pytest.approx(true_bias, rel=0.4)


def test_a_linear_image_stays_as_it_is_bit_for_bit_but_for_its_magnitude() -> None:
    point = point_of(problem(), reconstructor("CG-SENSE"))
    nothing = Excess(compute_pairs(point, Draws.by(torch.Generator().manual_seed(1), 4), chunk=4))
    *_, exact = Exact()(point, torch.Generator())
    assert nothing.nrmse(channel="complex") == 0
    found = nothing.added_to(exact)
    for channel in ("complex", "real", "imaginary"):
        assert nothing.is_none(channel)
        assert found.channels[channel] is exact.channels[channel]


def test_voxels_still_to_come_stay_so_and_none_outside_the_region_changes(excess: Excess) -> None:
    region = excess.pairs.region.clone()
    region[:3] = False
    inside = excess.pairs.region.nonzero()[:, 0] >= 3
    part = Excess(
        Pairs(
            *(getattr(excess.pairs, name)[..., inside] for name in ("odd", "even", "linear")),
            region,
            excess.pairs.modulus[inside],
        )
    )
    values = torch.ones(24, 30, dtype=torch.float64)
    values[20:] = torch.nan
    estimate = VarianceEstimate({"magnitude": ChannelVariance(values, values)}, 1, 2, 3)
    found = part.added_to(estimate).channels["magnitude"]
    for each in found:
        assert torch.equal(each.isnan(), values.isnan())
        assert torch.equal(each[:3], values[:3])
    assert not torch.equal(found.variance[3:20], values[3:20])
