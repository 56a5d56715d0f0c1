"""A run of an experiment on one slice: what was asked for, and what came of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mri_noise.arrays import Image
from mri_noise.experiment import Experiment
from mri_noise.masks import AsAcquired
from mri_noise.pipeline import StageCache, prepare, run
from mri_noise.report import estimate_of, map_error
from mri_noise.result import Result
from mri_noise.scan import Scan
from mri_noise.variance.replica import MonteCarlo
from mri_noise.variance.sketch import Sketch


@dataclass(frozen=True, slots=True)
class OpenedScan:
    """A scan and the file that it was read from."""

    scan: Scan
    path: Path


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is asked for.

    Attributes
    ----------
    number
        Counts the runs of a window, from 1.
    opened, index
        The scan and its slice.
    experiment
    target
        Stop when the map's own relative error [%] is below this; None: run to the end.
    """

    number: int
    opened: OpenedScan
    index: int
    experiment: Experiment
    target: float | None = None

    @property
    def name(self) -> str:
        """What the run is called on screen."""
        return f"run {self.number}"

    @property
    def title(self) -> str:
        """Its name at the start of a sentence."""
        return f"Run {self.number}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a run has come.

    Attributes
    ----------
    job
    result
    reference : shape (rows, columns)
        Coil combination of all samples, where the scan holds all and not all are used.
    """

    job: Job
    result: Result
    reference: Image | None = None


def snapshots(job: Job, cache: StageCache) -> Iterator[Snapshot]:
    """Run a job, to its end or to its target."""
    reference: Image | None = None
    for position, result in enumerate(run(job.opened.scan, job.experiment, slices=[job.index], cache=cache)):
        if position == 0:
            reference = _reference(job, cache)
        reached = _reached(result, job.target)
        yield Snapshot(job, up_to_here(result) if reached else result, reference)
        if reached:
            return


def _reached(result: Result, target: float | None) -> bool:
    if target is None or result.estimate is None or result.complete or result.estimate.n_samples < 2:
        return False
    return 100 * map_error(result) <= target


def _reference(job: Job, cache: StageCache) -> Image | None:
    acquired = job.opened.scan[job.index]
    if not bool(acquired.mask.all()) or isinstance(job.experiment.undersampling, AsAcquired):
        return None
    return prepare(job.opened.scan, job.experiment, job.index, cache).combined.cpu()


def up_to_here(result: Result) -> Result:
    """The result that stops at the samples that are in: the experiment that asks for just these gives it again.

    Raises
    ------
    ValueError
        If there are fewer than two samples, or the method cannot be cut short.
    """
    estimate = estimate_of(result)
    variance = result.experiment.variance
    if estimate.n_samples < 2 or not isinstance(variance, Sketch | MonteCarlo):
        raise ValueError("nothing was reached that can be kept; let the run go on")
    asked = {"n_probes" if isinstance(variance, Sketch) else "n_replicas": estimate.n_samples}
    return replace(
        result,
        estimate=replace(estimate, n_total=estimate.n_samples),
        experiment=result.experiment.model_copy(update={"variance": variance.model_copy(update=asked)}),
    )


def device_note(experiment: Experiment) -> str:
    """Where a run computes, and why."""
    if experiment.device == "cpu":
        return "Computes on the CPU, as chosen."
    if torch.cuda.is_available():
        return f"Computes on the GPU: {torch.cuda.get_device_name()}."
    if experiment.device == "cuda":
        return "A GPU is asked for, but torch finds none here; set device to auto or cpu."
    return f"Computes on the CPU with {torch.get_num_threads()} threads: torch finds no GPU here."
