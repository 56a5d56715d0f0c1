"""The verdict on a linear map, and the settings of the pairs that it comes from."""

import pytest
import torch

from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.linearity import Linearity, LinearityCheck, assess
from mri_noise.variance.linearise.point import OperatingPoint, exact_noise_jacobian
from tests.cases import reconstructor
from tests.problems import Curved, louder, point_of, problem


def _excess(point: OperatingPoint, n_pairs: int = 8) -> Excess:
    return Excess(LinearityCheck(n_pairs=n_pairs)(point, torch.Generator().manual_seed(0)))


def test_a_linear_reconstruction_is_linear() -> None:
    point = point_of(problem(), reconstructor("CG-SENSE"))
    linearity = assess(_excess(point), point, correct=True)
    assert linearity.rho < 1e-20
    assert linearity.bias < 0.03, "its magnitude has little signal in some voxels"
    assert linearity.n_evaluations == 24


@pytest.mark.parametrize("correct", [True, False])
def test_what_is_off_is_said_and_what_is_left_of_it(correct: bool) -> None:
    draws = LinearityCheck().averaged(torch.Generator().manual_seed(0))
    point = louder(point_of(problem(), Curved(0.1), draws=draws), 8.0)
    linearity = assess(_excess(point), point, correct=correct)
    assert linearity.bias > 0.05
    assert linearity.verdict.startswith("not linear: ")
    assert linearity.corrected is correct
    assert (linearity.remaining_bias == linearity.bias) is not correct
    assert linearity.arithmetic == "averaged over the noise, full precision"
    assert ("with what 8 pairs add" in linearity.verdict) is correct


def test_more_pairs_go_on_where_the_first_ended_and_none_is_what_the_derivative_was_averaged_over() -> None:
    generator = torch.Generator().manual_seed(0)
    few, more, other = LinearityCheck(n_pairs=3), LinearityCheck(n_pairs=5), LinearityCheck(n_pairs=3, n_averaged=3)
    point = louder(point_of(problem(), Curved(0.1)), 4.0)
    pairs = few(point, generator)
    assert LinearityCheck(n_pairs=2)(point, generator, pairs) is pairs
    torch.testing.assert_close(more(point, generator, pairs).linear, more(point, generator).linear)
    averaged = few.averaged(generator)
    assert averaged is not None
    (own,) = averaged.white(point.noise_shaping, point.kspace, chunk=2)
    known = exact_noise_jacobian(point, chunk=2)(own).real[:, point.object]
    assert not torch.isclose(pairs.linear[:, None, 0], known).all(-1).any()
    torch.testing.assert_close(other(point, generator).linear[:2], pairs.linear[1:])
    assert LinearityCheck(linearise="point").averaged(generator) is None


def test_the_bounds_between_verdicts() -> None:
    said = {0.01: "linear at this noise", 0.011: "nearly linear", 0.05: "nearly linear", 0.051: "not linear"}
    for bias, words in said.items():
        assert Linearity(0.1, bias, bias, False, 4, 12).verdict.partition(":")[0] == words
