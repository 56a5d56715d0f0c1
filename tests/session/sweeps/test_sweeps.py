from dataclasses import replace

import numpy as np
import pytest
import torch

from mri_noise.acquisition.masks import AsAcquired, Equispaced
from mri_noise.pipeline import StageCache
from mri_noise.readings import estimate_of
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.roi import Ellipse, Rectangle
from mri_noise.session.jobs import Job
from mri_noise.session.layer_data import DATA_UNITS
from mri_noise.session.sweeps.sweeps import (
    ACCELERATION,
    MODEL,
    NOISE_LEVEL,
    Parameter,
    Sweep,
    parsed,
    stack_layers,
    summary,
    sweep,
    sweep_curves,
    sweep_table,
    with_value,
)
from mri_noise.variance.check.linearity import LinearityCheck
from tests.session.examples import EXPERIMENT, OPENED

ROI = Ellipse(name="middle", center=(16, 14), radii=(5, 4))


LINEAR = EXPERIMENT.model_copy(update={"linearity": LinearityCheck(correct=False)})
"""Its noise follows the noise level exactly, also where the magnitude is as small as the noise."""


def swept(parameter: Parameter, values: tuple[str, ...]) -> list[Sweep]:
    experiments = [with_value(LINEAR, parameter, value) for value in values]
    jobs = [Job(number, OPENED, 1, each) for number, each in enumerate(experiments, 1)]
    return list(sweep(parameter, values, jobs, StageCache()))


@pytest.fixture(scope="module")
def levels() -> list[Sweep]:
    return swept(NOISE_LEVEL, ("1", "2"))


def test_values_become_settings() -> None:
    assert with_value(EXPERIMENT, ACCELERATION, "3").undersampling.acceleration == 3
    assert with_value(EXPERIMENT, NOISE_LEVEL, "0.5").noise_scale == 0.5
    assert with_value(EXPERIMENT, MODEL, "zero-filled").reconstruction == ZeroFilled()
    assert with_value(EXPERIMENT, MODEL, "modl").reconstruction == Shipped(name="modl")
    assert with_value(EXPERIMENT, MODEL, "cg-sense").reconstruction == CGSense()


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [(ACCELERATION, "many", "acceleration"), (NOISE_LEVEL, "-1", "greater than 0"), (MODEL, "unknown", "expected one")],
)
def test_a_value_that_does_not_fit_is_a_sentence(parameter: Parameter, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_value(EXPERIMENT, parameter, value)


def test_a_mask_without_acceleration_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="choose another kind of mask"):
        with_value(EXPERIMENT.model_copy(update={"undersampling": AsAcquired()}), ACCELERATION, "2")


def test_texts_become_values() -> None:
    assert parsed(" 2, 4,,8 ") == ("2", "4", "8")
    with pytest.raises(ValueError, match="no value to sweep"):
        parsed(" , ")


def test_finished_runs_accumulate(levels: list[Sweep]) -> None:
    counts = [len(state.runs) for state in levels]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert levels[-1].complete
    assert [run.result.experiment.noise_scale for run in levels[-1].runs] == [1, 2]
    assert "at 1" in summary(levels[0])
    assert summary(levels[-1]) == "Sweep of noise level 1, 2: done, 2 runs."


def test_noise_follows_its_level(levels: list[Sweep]) -> None:
    curves = sweep_curves(levels[-1], [ROI, Rectangle(name="left", corners=((10, 4), (14, 8)))])
    assert [curve.name for curve in curves] == ["middle", "left"]
    first = estimate_of(levels[-1].runs[0].result)
    assert curves[0].means[0] == pytest.approx(float(first.variance_magnitude[ROI((32, 28))].sqrt().mean()))
    for curve in curves:
        assert curve.means[1] == pytest.approx(2 * curve.means[0], rel=1e-5)
        assert curve.intervals[1] == pytest.approx(2 * curve.intervals[0], rel=1e-5)
    assert sweep_curves(levels[-1], [])[0].name == "object"


def test_a_table_of_the_curves_names_units(levels: list[Sweep]) -> None:
    curves = sweep_curves(levels[-1], [ROI, Rectangle(name="left", corners=((10, 4), (14, 8)))])
    table = sweep_table(levels[-1], curves)
    assert table.index.name == "noise level [measured level]"
    assert list(table.index) == ["1", "2"]
    assert list(table.columns) == [
        *(f"{name}: {title} [{DATA_UNITS}]" for name in ("middle", "left") for title in ("mean noise std", "± (95 %)")),
        "std known to [%]",
        "linear",
    ]
    assert tuple(table.iloc[:, 2]) == curves[1].means
    assert tuple(table.iloc[:, 3]) == curves[1].intervals
    half = replace(levels[-1], runs=levels[-1].runs[:1])
    assert list(sweep_table(half, sweep_curves(half, [])).index) == ["1"]


def test_runs_are_stacked_in_one_window(levels: list[Sweep]) -> None:
    image, std, *_ = stack_layers(levels[-1])
    assert image.data.shape == std.data.shape == (2, 1, 32, 28)
    assert std.geometry.axis_labels == ("noise level", "slice", "row", "column")
    assert np.allclose(std.data[1], 2 * std.data[0], rtol=1e-5)
    assert std.look.window[1] >= 1.9 * np.percentile(std.data[0][0][levels[-1].runs[0].result.object.numpy()], 99.5)
    assert std.provenance["values"] == ["1", "2"]


def test_models_are_swept_by_name() -> None:
    *_, done = swept(MODEL, ("zero-filled", "cg-sense"))
    assert done.positions == [0, 1]
    assert not torch.equal(done.runs[0].result.image, done.runs[1].result.image)


def test_a_failure_says_at_which_value() -> None:
    experiment = EXPERIMENT.model_copy(update={"undersampling": Equispaced(n_calibration=500)})
    states = sweep(NOISE_LEVEL, ["1", "2"], [Job(n, OPENED, 1, experiment) for n in (1, 2)], StageCache())
    with pytest.raises(ValueError, match="noise level 1: 500 calibration lines"):
        list(states)
