from dataclasses import replace

import numpy as np
import pytest

from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache
from mri_noise.readings import comparison_of
from mri_noise.session.agreement import agreement_table, costs, require_same_image, verdict
from mri_noise.session.jobs import Job, OpenedScan, Snapshot, snapshots
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.session.examples import EXPERIMENT, OPENED

N = 120


def finished(number: int, variance: Sketch | MonteCarlo) -> Snapshot:
    *_, last = snapshots(Job(number, OPENED, 1, EXPERIMENT.model_copy(update={"variance": variance})), StageCache())
    return last


@pytest.fixture(scope="module")
def pair() -> tuple[Snapshot, Snapshot]:
    return finished(1, Sketch(n_probes=N)), finished(2, MonteCarlo(n_replicas=N))


def scaled(run: Snapshot, factor: float) -> Snapshot:
    variance, standard_error = run.result.estimate.channels["magnitude"]
    estimate = run.result.estimate.with_channel("magnitude", factor * variance, standard_error)
    return replace(run, result=replace(run.result, estimate=estimate))


def test_maps_of_the_same_noise_agree(pair: tuple[Snapshot, Snapshot]) -> None:
    table = agreement_table(*pair)
    comparison = comparison_of(pair[0].result, pair[1].result)
    assert table["found"]["NRMSE [%]"] == pytest.approx(100 * comparison.nrmse)
    assert table["found"]["NRMSE [%]"] == pytest.approx(table["expected"]["NRMSE [%]"], rel=0.15)
    assert table["found"]["correlation"] == pytest.approx(table["expected"]["correlation"], abs=0.05)
    assert table["found"]["slope"] == pytest.approx(table["expected"]["slope"], abs=0.1)
    assert table["expected"]["slope"] < 1
    assert verdict(*pair).startswith("The maps agree")


@pytest.mark.parametrize("factor", [0.8, 1.3])
def test_a_map_with_other_noise_differs(pair: tuple[Snapshot, Snapshot], factor: float) -> None:
    said = verdict(scaled(pair[0], factor), pair[1])
    assert said.startswith("The maps differ")
    left = float(said.split("a difference of ")[1].split(" %")[0])
    assert left == pytest.approx(100 * abs(np.sqrt(factor) - 1), rel=0.25)


def test_costs_have_a_column_a_run(pair: tuple[Snapshot, Snapshot]) -> None:
    table = costs(*pair)
    assert list(table.columns) == ["run 1", "run 2"]
    assert list(table.loc["evaluations"]) == [N + 12, N]  # with four pairs, and of replicas alone
    same = costs(pair[0], replace(pair[0], job=replace(pair[0].job, number=3)))
    assert list(same.columns) == ["run 1", "run 3"]


def test_images_of_other_sizes_are_refused(pair: tuple[Snapshot, Snapshot]) -> None:
    opened = OpenedScan(Phantom(matrix=(32, 30), n_coils=4)(), OPENED.path)
    other = next(snapshots(Job(2, opened, 0, EXPERIMENT), StageCache()))
    with pytest.raises(ValueError, match="run 1 and run 2 have images of 32 x 28 and 32 x 30"):
        require_same_image(pair[0], other)
