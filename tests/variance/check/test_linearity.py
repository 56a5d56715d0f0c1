"""The linearity check says how far a linearised map is off, and the correction brings it nearer."""

from dataclasses import replace

import pytest
import torch

from mri_noise.operators.replay import multiply
from mri_noise.variance.check.linearity import LinearityCheck, assess, corrected, corrections
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from tests.cases import reconstructor
from tests.problems import point_of, problem


class Curved:
    """A reconstruction with a cubic term, whose weight is its curvature."""

    replayable = True

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature

    def __call__(self, kspace: torch.Tensor, encoding: object) -> torch.Tensor:
        x = encoding.adjoint(kspace)  # type: ignore[attr-defined]
        return x - multiply(multiply(x, x.conj()), x) * self.curvature


def _true_bias(linear: VarianceEstimate, actual: VarianceEstimate) -> float:
    error = linear.variance_magnitude.sqrt() - actual.variance_magnitude.sqrt()
    return float(error.norm() / actual.variance_magnitude.sqrt().norm())


def test_a_linear_reconstruction_is_linear() -> None:
    point = point_of(problem(), reconstructor("CG-SENSE"))
    linearity = assess(LinearityCheck()(point, torch.Generator().manual_seed(0)), point.object, correct=True)
    assert linearity.rho < 1e-20
    assert linearity.bias < 0.01
    assert not linearity.corrected
    assert linearity.n_evaluations == 16
    assert linearity.verdict.startswith("linear at this noise")


def _louder(point: OperatingPoint, factor: float) -> OperatingPoint:
    return replace(point, noise_shaping=replace(point.noise_shaping, factor=factor * point.noise_shaping.factor))


@pytest.mark.parametrize("factor", [4.0, 8.0])
def test_the_bias_is_predicted_and_the_correction_lowers_it(factor: float) -> None:
    point = _louder(point_of(problem(rows=24, columns=30), Curved(0.1)), factor)
    pairs = LinearityCheck()(point, torch.Generator().manual_seed(1))
    linearity = assess(pairs, point.object, correct=True)
    *_, exact = Exact()(point, torch.Generator())
    *_, actual = MonteCarlo(n_replicas=1500, batch=100)(point, torch.Generator().manual_seed(5))
    truth = _true_bias(exact, actual)
    assert truth > 0.03
    assert linearity.bias == pytest.approx(truth, rel=0.25)
    assert linearity.corrected
    better = corrected(exact, corrections(pairs, point.object))
    channels: tuple[Channel, ...] = ("magnitude", "complex")
    for channel in channels:
        sigma, linear, after = (each.channels[channel].variance.sqrt() for each in (actual, exact, better))
        assert (after - sigma).norm() < 0.8 * (linear - sigma).norm()


def test_without_a_correction_the_bias_remains() -> None:
    point = _louder(point_of(problem(), Curved(0.1)), 8.0)
    pairs = LinearityCheck()(point, torch.Generator().manual_seed(1))
    linearity = assess(pairs, point.object, correct=False)
    assert not linearity.corrected
    assert linearity.remaining_bias == linearity.bias > 0.05
    assert "use Monte Carlo" in linearity.verdict
