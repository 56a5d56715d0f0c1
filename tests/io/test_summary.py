import json
from dataclasses import replace
from math import inf, isnan, nan
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic_core import from_json

from mri_noise.io.summary import Summary, estimated, from_plain, summarize, to_plain
from mri_noise.result import Result, RoiReadout
from mri_noise.variance.readout import RegionNoise
from tests.io.random_results import EXPERIMENTS, assert_same, random_result, result_arguments


def summary_of(results: list[Result]) -> Summary:
    return Summary(
        experiment=results[0].experiment,
        slices=tuple(summarize(result, estimate) for result, estimate in estimated(results)),
        provenance=tuple(result.provenance for result in results),
    )


@settings(deadline=None, max_examples=50)
@given(arguments=result_arguments())
def test_comes_back_from_json_as_it_was(arguments: list[dict[str, Any]]) -> None:
    results = [random_result(**of_slice) for of_slice in arguments]
    summary = summary_of(results)
    assert_same(from_plain(from_json(json.dumps(to_plain(summary))), "file"), summary)


def test_numbers_that_are_not_finite_come_back_too() -> None:
    noise = RegionNoise(3, complex(nan, -inf), nan, inf, 0.0)
    summary = summary_of([random_result(rois=(RoiReadout("broken", noise),))])
    back = from_plain(from_json(json.dumps(to_plain(summary))), "file").slices[0].rois[0].noise
    assert isnan(back.mean.real)
    assert back.mean.imag == -inf
    assert isnan(back.mean_magnitude)
    assert back.standard_deviation == inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("provenance"), "provenance: Field required"),
        (lambda values: values.update(slices=[]), "names 0 slices and the provenance of 2"),
        (lambda values: values.update(slices=None), "slices: Input should be"),
        (
            lambda values: values["slices"][1].update(index=-1),
            "slices.1.index: Input should be greater",
        ),
        (lambda values: values["slices"][0].pop("n_total"), "slices.0.n_total: Field required"),
        (lambda values: values["provenance"][0].update(voxel_size=[1, 2]), "provenance.0.voxel_size"),
        (lambda values: values["experiment"].update(sed=1), "unknown setting 'sed'; did you mean 'seed'?"),
        (lambda values: values["experiment"]["variance"].update(n_prob=3), "unknown setting 'variance.n_prob'"),
        (lambda values: values.update(experiment=3), "experiment: Input should be"),
    ],
)
def test_what_does_not_fit_is_one_sentence(change, message: str) -> None:
    values = to_plain(summary_of([random_result(0), random_result(1)]))
    change(values)
    with pytest.raises(ValueError, match="'the file' ") as caught:
        from_plain(values, "the file")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (replace(random_result(1), estimate=None), "slice 1 has no variance yet"),
        (random_result(1, rows=6), "slice 1 has another image shape"),
        (random_result(1, n_coils=2), "slice 1 has another number of coils"),
        (random_result(1, seed=1), "slice 1 has another scan"),
        (random_result(1, experiment=EXPERIMENTS[1]), "slice 1 has another experiment"),
        (random_result(1, magnitude_only=True), "slice 1 has another set of maps"),
    ],
)
def test_results_that_cannot_be_saved_together(second: Result, message: str) -> None:
    stream = estimated(iter([random_result(0), second]))
    next(stream)
    with pytest.raises(ValueError, match=message):
        next(stream)


def test_no_results() -> None:
    with pytest.raises(ValueError, match="no results"):
        list(estimated([]))
