import math
from dataclasses import replace

import pytest

from mri_noise.readings import error_shares, map_error, total_error
from mri_noise.roi import Ellipse
from mri_noise.session.captions import caption
from mri_noise.session.regions.readouts import RegionQuestion
from mri_noise.session.regions.region_table import region_table
from mri_noise.session.regions.voxels import voxel_sentence
from mri_noise.session.runs import runs_table
from mri_noise.session.verdicts import Advice, doubt, known_to, linear_mark
from mri_noise.variance.check.linearity import Linearity
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from tests.session.examples import steps

RUN = steps()[-1]
OFF = Linearity(rho=0.1, bias=0.12, remaining_bias=0.12, corrected=False, n_pairs=8, n_evaluations=24)
DOUBTED = replace(RUN, result=replace(RUN.result, linearity=OFF))
REPLICAS = replace(RUN.result, linearity=None)


@pytest.mark.parametrize(("remaining", "holds"), [(0.0, True), (0.05, True), (0.0501, False), (0.3, False)])
def test_a_linearisation_holds_up_to_what_is_tolerable_and_the_verdict_says_the_same(
    remaining: float, holds: bool
) -> None:
    linearity = replace(OFF, bias=remaining, remaining_bias=remaining)
    assert linearity.holds is holds
    assert linearity.verdict.startswith("not linear") is not holds
    result = replace(RUN.result, linearity=linearity)
    assert linear_mark(result) == ("yes" if holds else "no")
    assert bool(doubt(result)) is not holds
    assert (" only " in known_to(result)) is not holds


def test_the_total_error_is_that_of_map_linearisation_and_noise_in_quadrature() -> None:
    noise = RUN.result.noise.uncertainty
    assert noise == 0.5 / 2048**0.5, "one half of the 4096 samples of the prescan whitened the coils"
    assert total_error(DOUBTED.result) == pytest.approx(math.sqrt(map_error(RUN.result) ** 2 + 0.12**2 + noise**2))
    assert total_error(REPLICAS) == pytest.approx(math.hypot(map_error(REPLICAS), noise))
    assert linear_mark(REPLICAS) == "not checked"
    own, total = 100 * map_error(REPLICAS), 100 * total_error(REPLICAS)
    assert known_to(REPLICAS) == f"std known to {total:.1f} % (map {own:.1f} %, noise level 1.1 %)"
    exact = replace(REPLICAS, noise=replace(REPLICAS.noise, n_samples=None))
    assert known_to(exact) == f"std known to {own:.1f} %"


def test_what_pairs_add_is_in_the_standard_errors_and_counts_once() -> None:
    """Of a map with what pairs add, the standard errors hold theirs."""
    corrected = replace(RUN.result, linearity=replace(OFF, corrected=True, remaining_bias=0.6 * map_error(RUN.result)))
    assert total_error(corrected) == pytest.approx(math.hypot(map_error(RUN.result), RUN.result.noise.uncertainty))
    shares = error_shares(corrected)
    assert shares["beyond the linear part"] == 0.6 * map_error(RUN.result)
    assert shares["map"] == pytest.approx(0.8 * map_error(RUN.result))
    assert math.hypot(*shares.values()) == pytest.approx(total_error(corrected))
    assert error_shares(DOUBTED.result)["map"] == map_error(RUN.result)


def test_the_error_that_is_printed_is_the_total_one() -> None:
    total = 100 * total_error(DOUBTED.result)
    assert f"std known to {total:.1f} % only" in caption(DOUBTED.result)
    assert caption(DOUBTED.result).startswith("Not linear at this noise")
    runs = runs_table([RUN, DOUBTED])
    assert runs["total error [%]"].iloc[1] == pytest.approx(total)
    assert list(runs["linear"]) == ["yes", "no"]
    roi = Ellipse(name="middle", center=(16, 14), radii=(5, 4))
    table = region_table([RegionQuestion(DOUBTED, roi)], {}, {})
    assert table["std known to [%]"]["middle"] == pytest.approx(total)
    assert table["linear"]["middle"] == "no"
    assert voxel_sentence(DOUBTED.result, (16, 14)).count("not linear at this noise") == 1


def test_captions_say_what_is_seen() -> None:
    image, of_map = caption(RUN.result).split("\n")
    assert "R = " in image
    assert caption(RUN.result, "reconstruction", "run 1") == f"run 1   {image}"
    assert caption(RUN.result, "reference") == "slice 1   fully sampled"
    assert "zero-filled" in caption(RUN.result, "zero_filled")
    assert caption(RUN.result, "correlation") == image
    assert caption(DOUBTED.result, "film").startswith("Not linear at this noise")
    assert of_map == f"8 probes   seed 0   std known to {100 * total_error(RUN.result):.1f} %"
    assert "beyond" not in caption(DOUBTED.result)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "about 1 s"), (40.3, "about 40 s"), (600.0, "about 10 min"), (9000.0, "about 2 h")]
)
def test_a_duration_is_said_in_round_numbers(seconds: float, words: str) -> None:
    assert Advice(MonteCarlo(n_replicas=400), seconds).duration == words
