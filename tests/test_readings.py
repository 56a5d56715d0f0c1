import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mri_noise.readings import comparison_of, estimate_of, g_factor_of, in_object, map_error, prior_share, total_error
from mri_noise.result import Result
from tests.compared import sketch_and_exact


@pytest.fixture(scope="module")
def results() -> tuple[Result, Result]:
    return sketch_and_exact()


def test_the_maps_own_error_is_the_true_one(results: tuple[Result, Result]) -> None:
    """The error that a sketch claims for itself is its distance from the exact map."""
    sketch, exact = results
    assert map_error(exact) == 0
    true = comparison_of(sketch, exact).nrmse
    assert map_error(sketch) == pytest.approx(true, rel=0.1)
    assert true == pytest.approx(1 / (2 * 200) ** 0.5, rel=0.15)


def test_an_exact_reference_has_no_z_of_its_own(results: tuple[Result, Result]) -> None:
    sketch, exact = results
    comparison = comparison_of(exact, exact)
    assert np.isnan(comparison.mean_z)
    assert comparison.nrmse == 0
    assert 0.7 < comparison_of(sketch, exact).mean_square_z < 1.4
    assert torch.equal(sketch.object, exact.object)


def test_a_result_without_samples_has_no_readings(results: tuple[Result, Result]) -> None:
    with pytest.raises(ValueError, match="slice 1 has no variance yet; wait for its first samples"):
        estimate_of(replace(results[0], estimate=None))


def test_the_total_error_adds_that_of_the_noise_and_of_the_linearisation(results: tuple[Result, Result]) -> None:
    _, exact = results
    assert exact.linearity is not None
    beyond = 0.0 if exact.linearity.corrected else exact.linearity.remaining_bias
    assert total_error(exact) == pytest.approx(math.hypot(exact.noise.uncertainty, map_error(exact), beyond))
    doubtful = replace(exact, linearity=replace(exact.linearity, remaining_bias=0.3, corrected=False))
    assert total_error(doubtful) == pytest.approx(math.hypot(exact.noise.uncertainty, map_error(exact), 0.3))


def test_the_g_factor_of_an_exact_map_is_the_ratio_of_noise_at_equal_time(results: tuple[Result, Result]) -> None:
    _, exact = results
    net = exact.mask.numel() / int(exact.mask.sum())
    wanted = (2 * estimate_of(exact).variance_magnitude / (net * exact.full_variance)).sqrt()[exact.object]
    found = in_object(exact, g_factor_of(exact))
    torch.testing.assert_close(found[exact.object], wanted)
    assert bool(torch.isnan(found[~exact.object]).all())


def test_the_prior_dominates_nothing_without_one(results: tuple[Result, Result]) -> None:
    sketch, _ = results
    assert prior_share(sketch) == 0
    weight = torch.where(sketch.object, 0.75, 0.0)
    shrunk = replace(sketch, estimate=replace(estimate_of(sketch), prior_weight=weight))
    assert prior_share(shrunk) == 1
