"""Sweeps: the same analysis at several values of one setting, as a stack of maps and as curves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mri_noise.acquisition.masks import AsAcquired
from mri_noise.experiment import Experiment
from mri_noise.pipeline import StageCache
from mri_noise.result import Result
from mri_noise.roi import Roi
from mri_noise.session.jobs import Job, Snapshot, snapshots
from mri_noise.session.layer_data import DATA_UNITS, QUANTITIES, LayerSpec, Look, Quantity, image_layers, map_layer
from mri_noise.session.models import choice_of_model
from mri_noise.session.regions.regions import IS_LINEAR, KNOWN_TO, confidence, mean_std, region_mask
from mri_noise.session.sweeps.stacks import with_slider
from mri_noise.settings import override

STACKED = ("std", "snr", "g")
"""The maps that are stacked."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting that can be swept.

    Attributes
    ----------
    title
        What it is called on screen.
    values
        What is proposed.
    is_number
    unit
        Unit of the values, where they have one.
    """

    title: str
    values: tuple[str, ...]
    is_number: bool = True
    unit: str = ""

    @property
    def heading(self) -> str:
        """What a column of values is called."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


ACCELERATION = Parameter("acceleration", ("2", "3", "4", "6", "8"))
NOISE_LEVEL = Parameter("noise level", ("0.5", "1", "2", "4"), unit="measured level")
MODEL = Parameter("model", ("zero-filled", "cg-sense", "unet", "unrolled", "modl"), is_number=False)
PARAMETERS = (ACCELERATION, NOISE_LEVEL, MODEL)


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far a sweep has come.

    Attributes
    ----------
    parameter, values
        What is swept, and at which values.
    runs
        The finished runs, a value each, in the order of the values.
    latest
        The last snapshot of the run that is on.
    """

    parameter: Parameter
    values: tuple[str, ...]
    runs: tuple[Snapshot, ...] = ()
    latest: Snapshot | None = None

    @property
    def complete(self) -> bool:
        """Whether each value has its run."""
        return len(self.runs) == len(self.values)

    @property
    def positions(self) -> list[float]:
        """Where on an axis the finished runs are: at the value, or at its place in the list."""
        done = self.values[: len(self.runs)]
        return [float(value) for value in done] if self.parameter.is_number else [float(n) for n in range(len(done))]


def parsed(text: str) -> tuple[str, ...]:
    """The values in a text, separated by commas.

    Raises
    ------
    ValueError
        If there is none.
    """
    values = tuple(value.strip() for value in text.split(",") if value.strip())
    if not values:
        raise ValueError("there is no value to sweep; write some, separated by commas")
    return values


def with_value(experiment: Experiment, parameter: Parameter, value: str) -> Experiment:
    """The experiment at one value of a parameter.

    Raises
    ------
    ValueError
        If the value does not fit, or the mask of the experiment has no acceleration.
    """
    if parameter is ACCELERATION and isinstance(experiment.undersampling, AsAcquired):
        raise ValueError("the mask is as acquired and has no acceleration to sweep; choose another kind of mask")
    if parameter is MODEL:
        return override(experiment, [f"reconstruction.{name}={each}" for name, each in choice_of_model(value).items()])
    name = "undersampling.acceleration" if parameter is ACCELERATION else "noise_scale"
    return override(experiment, [f"{name}={value}"])


def sweep(parameter: Parameter, values: Sequence[str], jobs: Sequence[Job], cache: StageCache) -> Iterator[Sweep]:
    """Run a job for each value.

    Raises
    ------
    ValueError
        Whatever a run raises, with the value at which it did.
    """
    state = Sweep(parameter, tuple(values))
    for value, job in zip(values, jobs, strict=True):
        try:
            for snapshot in snapshots(job, cache):
                state = replace(state, latest=snapshot)
                yield state
        except ValueError as error:
            raise ValueError(f"{parameter.title} {value}: {error}") from error
        state = replace(state, runs=(*state.runs, snapshot))
        yield state


def stack_layers(done: Sweep) -> list[LayerSpec]:
    """The images and maps of the finished runs, shape (values, 1, rows, columns), each in one window."""
    results = [run.result for run in done.runs]
    images = [image_layers(result, "")[1] for result in results]
    image = _stacked(done, images, f"reconstruction over {done.parameter.title}", visible=False)
    return [image, *(_stack_of_maps(done, results, QUANTITIES[key], visible=key == "std") for key in STACKED)]


def _stack_of_maps(done: Sweep, results: Sequence[Result], quantity: Quantity, *, visible: bool) -> LayerSpec:
    specs = [map_layer(result, run.job.name, quantity) for result, run in zip(results, done.runs, strict=True)]
    return _stacked(done, specs, f"{quantity.title} over {done.parameter.title}", visible=visible)


def _stacked(done: Sweep, specs: Sequence[LayerSpec], title: str, *, visible: bool) -> LayerSpec:
    """Layers of one quantity as one with a slider for the values, in the window of the widest."""
    first = specs[0]
    top = max(spec.look.window[1] for spec in specs)
    return replace(
        first,
        key=f"stack_{first.key}",
        title=title,
        data=np.stack([spec.data for spec in specs]),
        look=Look(first.look.colormap, (0.0, top), visible),
        geometry=with_slider(first.geometry, done.parameter.title),
        provenance={
            **first.provenance,
            "swept": done.parameter.title,
            "values": list(done.values[: len(done.runs)]),
            "runs": [spec.provenance for spec in specs],
        },
    )


@dataclass(frozen=True, slots=True)
class SweepCurve:
    """The mean of a map over a region against the swept value.

    Attributes
    ----------
    name
        Name of the region.
    means
    intervals
        Half of 95 % intervals, if all voxels of the region shared their sampling errors.
    """

    name: str
    means: tuple[float, ...]
    intervals: tuple[float, ...]


def sweep_curves(done: Sweep, rois: Sequence[Roi]) -> list[SweepCurve]:
    """The mean noise std of each region at each value; of the object, if there are no regions."""
    results = [run.result for run in done.runs]
    if not rois:
        return [_curve("object", [_noise(result, None) for result in results])]
    return [_curve(roi.name, [_noise(result, roi) for result in results]) for roi in rois]


def sweep_table(done: Sweep, curves: Sequence[SweepCurve]) -> pd.DataFrame:
    """A row a value: of each region its mean and half its interval, with their units; and how well all is known."""
    columns: dict[str, Sequence[object]] = {
        f"{curve.name}: {title} [{DATA_UNITS}]": values
        for curve in curves
        for title, values in (("mean noise std", curve.means), ("± (95 %)", curve.intervals))
    }
    index = pd.Index(done.values[: len(done.runs)], name=done.parameter.heading)
    known = [confidence(run.result) for run in done.runs]
    for name in (KNOWN_TO, IS_LINEAR):
        columns[name] = tuple(each[name] for each in known)
    return pd.DataFrame(columns, index=index)


def _curve(name: str, points: Sequence[tuple[float, float]]) -> SweepCurve:
    return SweepCurve(name, tuple(mean for mean, _ in points), tuple(half for _, half in points))


def _noise(result: Result, roi: Roi | None) -> tuple[float, float]:
    """Mean noise std over a region and half its 95 % interval; NaN for a region outside the image."""
    return mean_std(result, result.object if roi is None else region_mask(result, roi))


def summary(done: Sweep) -> str:
    """What a sweep is and how far it has come, in one sentence."""
    what = f"{done.parameter.title} {', '.join(done.values)}"
    if done.complete:
        return f"Sweep of {what}: done, {len(done.runs)} runs."
    latest = done.latest
    samples = 0 if latest is None or latest.result.estimate is None else latest.result.estimate.n_samples
    value = done.values[len(done.runs)]
    return f"Sweep of {what}: at {value}, {samples} samples; {len(done.runs)} of {len(done.values)} runs are done."
