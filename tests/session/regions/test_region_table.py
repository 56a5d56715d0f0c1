import math
from dataclasses import replace

import pytest

from mri_noise.experiment import Experiment
from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.roi import Ellipse, Rectangle
from mri_noise.session.jobs import Job, OpenedScan, Snapshot
from mri_noise.session.regions.readouts import RegionQuestion, linearised, read_regions, read_voxel
from mri_noise.session.regions.region_table import Drawn, contrast_question, questions, region_table
from mri_noise.session.state import Session
from mri_noise.variance.linearise.point import noise_jacobian
from mri_noise.variance.readout import contrast_noise, region_noise
from tests.session.examples import EXPERIMENT, JOB, OPENED, steps

RUN = steps()[-1]
ROI = Ellipse(name="middle", center=(16, 14), radii=(5, 4))
OTHER = Rectangle(name="left", corners=((10, 4), (14, 8)))
OUTSIDE = Rectangle(name="outside", corners=((90, 90), (99, 99)))


def run_of(number: int, index: int, experiment: Experiment = EXPERIMENT) -> Snapshot:
    return Snapshot(Job(number, OPENED, index, experiment), replace(RUN.result, index=index, experiment=experiment))


def test_exact_figures_are_those_of_the_core() -> None:
    asked = [RegionQuestion(RUN, ROI), RegionQuestion(RUN, OUTSIDE), RegionQuestion(RUN, ROI, OTHER)]
    *_, answers = read_regions(asked, OPENED, StageCache())
    table = region_table(asked, answers, {})
    cache = StageCache()
    point = reconstruct(prepare(OPENED.scan, EXPERIMENT, 1, cache), EXPERIMENT, cache)
    operator = noise_jacobian(point, chunk=1)
    expected = region_noise(operator, point.image, ROI((32, 28)))
    contrast = contrast_noise(operator, point.image, ROI((32, 28)), OTHER((32, 28)))
    assert list(table.index) == ["middle", "outside", "middle - left"]
    assert table["std of mean"]["middle"] == pytest.approx(expected.standard_deviation_magnitude, rel=1e-5)
    assert table["SNR of mean"]["middle"] == pytest.approx(
        expected.mean_magnitude / expected.standard_deviation_magnitude, rel=1e-5
    )
    assert math.isnan(table["std of mean"]["outside"])
    assert table["mean signal"]["middle - left"] == pytest.approx(contrast.difference, rel=1e-4)
    assert table["std of mean"]["middle - left"] == pytest.approx(contrast.standard_deviation, rel=1e-5)


def test_answers_come_one_by_one_and_only_for_regions_in_the_image() -> None:
    asked = [RegionQuestion(RUN, roi) for roi in (ROI, OUTSIDE, OTHER)]
    counts = [len(answers) for answers in read_regions(asked, OPENED, StageCache())]
    assert counts == [1, 2]


def test_regions_are_asked_in_the_run_of_their_slice_or_in_all() -> None:
    runs = (run_of(1, 0), run_of(2, 1), run_of(3, 2, EXPERIMENT.model_copy(update={"seed": 9})), run_of(4, 0))
    session = Session(runs=runs)
    drawn = [Drawn(0, ROI), Drawn(1, OTHER), Drawn(2, OUTSIDE)]
    own = questions(session, runs[1], drawn, everywhere=False)
    assert [(each.run.job.number, each.roi.name) for each in own] == [(4, "middle"), (2, "left")]
    everywhere = questions(session, runs[1], drawn, everywhere=True)
    assert [(each.run.job.number, each.roi.name) for each in everywhere] == [
        (number, roi.name) for number in (4, 2) for roi in (ROI, OTHER, OUTSIDE)
    ]
    table = region_table(everywhere, {}, {}, everywhere=True)
    assert list(table.index)[:2] == ["middle, slice 0", "left, slice 0"]


def test_a_contrast_is_of_the_two_selected_or_the_only_two() -> None:
    asked = [RegionQuestion(RUN, roi) for roi in (ROI, OTHER, OUTSIDE)]
    assert contrast_question(asked, []) is None
    assert contrast_question(asked, ["middle", "outside"]) == RegionQuestion(RUN, ROI, OUTSIDE)
    assert contrast_question(asked[:2], ["left"]) == RegionQuestion(RUN, ROI, OTHER)
    assert contrast_question([asked[0], RegionQuestion(run_of(7, 2), OTHER)], []) is None


def test_replicas_stand_beside_the_map() -> None:
    asked = [RegionQuestion(RUN, ROI)]
    assert "Monte Carlo std" not in region_table(asked, {}, {})
    assert region_table(asked, {}, {JOB.number: RUN.result})["Monte Carlo std"]["middle"] > 0


def test_another_scan_is_refused() -> None:
    other = OpenedScan(replace(OPENED.scan, name="other", fingerprint="else"), OPENED.path)
    with pytest.raises(ValueError, match="'other' is open; open its scan"):
        linearised(RUN, other, StageCache())


def test_a_voxel_correlates_fully_with_itself() -> None:
    (readout,) = read_voxel(RUN, OPENED, (16, 14), StageCache())
    assert readout.correlation.shape == (32, 28)
    assert float(readout.correlation[16, 14]) == pytest.approx(1, abs=0.5)
    assert float(readout.correlation.abs().max()) <= 1
