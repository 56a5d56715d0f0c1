"""The table of regions: which figures of which run belong into which row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mri_noise.result import Result
from mri_noise.roi import Roi
from mri_noise.session.jobs import Snapshot
from mri_noise.session.layer_data import DATA_UNITS
from mri_noise.session.regions.readouts import Readouts, RegionQuestion
from mri_noise.session.regions.regions import (
    EXACT_FIGURES,
    INTERVAL,
    IS_LINEAR,
    KNOWN_TO,
    MEAN_G,
    MEAN_SIGNAL,
    MEAN_SNR,
    MEAN_STD,
    MEDIAN_STD,
    MONTE_CARLO_STD,
    SNR_OF_MEAN,
    STD_OF_COMPLEX_MEAN,
    STD_OF_MEAN,
    VOXELS,
    confidence,
    contrast_statistics,
    mean_statistics,
    region_statistics,
)
from mri_noise.session.runs import over_slices
from mri_noise.session.state import Session
from mri_noise.variance.readout import ContrastNoise, RegionNoise

SAME_UNITS = (
    (MEAN_SIGNAL,),
    (MEAN_STD, MEDIAN_STD, MONTE_CARLO_STD, INTERVAL, STD_OF_MEAN, STD_OF_COMPLEX_MEAN),
)
"""Figures in units of the data, those of one size together."""

MEANINGS = {
    VOXELS: "those of the image whose centres lie in the region",
    MEAN_SIGNAL: "of the magnitude image; for a contrast, the first minus the second",
    MEAN_STD: "mean over the voxels of the noise of each, from the map",
    MEDIAN_STD: "median over the voxels of the noise of each, from the map",
    MEAN_SNR: "mean over the voxels of signal over noise",
    MEAN_G: "mean over the voxels of the g-factor",
    MONTE_CARLO_STD: "the mean std of the replicas of the same image",
    INTERVAL: "of the mean std of the replicas, if all voxels shared their sampling errors",
    STD_OF_MEAN: "the error bar of the mean signal, or of the contrast; exact to first order",
    SNR_OF_MEAN: "the mean signal, or the contrast, over its error bar",
    STD_OF_COMPLEX_MEAN: "the noise of the mean of the complex image; exact to first order",
    KNOWN_TO: "of the map over the whole object: error of its samples and of the linearisation together",
    IS_LINEAR: "whether the reconstruction is linear at this noise, as the std and the error bars of means assume",
}
"""What the figures are."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A region and the slice that it was drawn on."""

    index: int
    roi: Roi


def questions(session: Session, shown: Snapshot, drawn: Sequence[Drawn], *, everywhere: bool) -> list[RegionQuestion]:
    """What is asked about regions: each in the run of its slice, or in those of all slices.

    Runs of other slices belong to the table if they ask for the same as the one that is shown.
    """
    runs = over_slices(session.runs, shown)
    return [
        RegionQuestion(run, each.roi) for run in runs for each in drawn if everywhere or each.index == run.job.index
    ]


def contrast_question(asked: Sequence[RegionQuestion], selected: Sequence[str]) -> RegionQuestion | None:
    """The difference of the two selected regions, or of the only two; None if that is not what there is."""
    chosen = [each for each in asked if each.roi.name in selected] if len(selected) == 2 else list(asked)
    if len(chosen) != 2 or chosen[0].run is not chosen[1].run:
        return None
    return RegionQuestion(chosen[0].run, chosen[0].roi, chosen[1].roi)


def region_table(
    asked: Sequence[RegionQuestion], answers: Readouts, replicas: Mapping[int, Result], *, everywhere: bool = False
) -> pd.DataFrame:
    """A row a question, named after its region: what the maps say, and what of the exact figures is known.

    ``replicas`` are Monte Carlo results by the number of the run of the same image.
    """
    runs = {each.run.job.number: each.run for each in asked}
    known = {number: confidence(run.result) for number, run in runs.items()}
    rows = [_row(each, answers, replicas.get(each.run.job.number)) | known[each.run.job.number] for each in asked]
    return pd.DataFrame(rows, index=pd.Index([_row_name(each, everywhere) for each in asked], name="region"))


def with_units(table: pd.DataFrame) -> pd.DataFrame:
    """The same with the units in the names of columns, for a file that stands alone."""
    in_data_units = [name for group in SAME_UNITS for name in group]
    return table.rename(columns={name: f"{name.strip()} [{DATA_UNITS}]" for name in in_data_units})


def _row_name(question: RegionQuestion, everywhere: bool) -> str:
    name = question.roi.name if question.other is None else f"{question.roi.name} - {question.other.name}"
    return f"{name}, slice {question.run.job.index}" if everywhere else name


def _row(question: RegionQuestion, answers: Readouts, replicas: Result | None) -> dict[str, float | int | str]:
    answer = answers.get(question.key)
    row: dict[str, float | int | str] = {"slice": question.run.job.index}
    if question.other is None:
        row |= region_statistics(question.run.result, question.roi, replicas)
    return row | dict.fromkeys(EXACT_FIGURES, float("nan")) | _exact(answer)


def _exact(answer: RegionNoise | ContrastNoise | None) -> dict[str, float]:
    if answer is None:
        return {}
    return contrast_statistics(answer) if isinstance(answer, ContrastNoise) else mean_statistics(answer)
