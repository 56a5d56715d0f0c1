"""A run of an experiment on one slice: what was asked for, and what came of it."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import TypeVar

import torch

from mri_noise.acquisition.masks import AsAcquired
from mri_noise.acquisition.scan import Scan
from mri_noise.arrays import Image
from mri_noise.experiment import Experiment
from mri_noise.pipeline import Prepared, StageCache, prepare, reconstruct, run
from mri_noise.readings import estimate_of, map_error
from mri_noise.result import Result

T = TypeVar("T")


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
        The scan and its slice; None for a result from a file, whose scan is not open.
    experiment
    target
        Stop when the map's own relative error [%] is below this; None: run to the end.
    """

    number: int
    opened: OpenedScan | None
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
    stopped
        Whether the run ended before its last sample: what it reached is kept, unfinished.
    """

    job: Job
    result: Result
    reference: Image | None = None
    stopped: bool = False

    @property
    def final(self) -> bool:
        """Whether nothing more will come."""
        return self.stopped or self.result.complete


def snapshots(job: Job, cache: StageCache) -> Iterator[Snapshot]:
    """Run a job, to its end or to its target.

    Raises
    ------
    ValueError
        If its scan is not open; and whatever the core raises.
    """
    if job.opened is None:
        raise ValueError(f"the scan of {job.name} is not open; open its file first")
    scan, reference = job.opened.scan, None
    for position, result in enumerate(run(scan, job.experiment, slices=[job.index], cache=cache)):
        if position == 0:
            reference = _reference(scan, job, cache)
        reached = _reached(result, job.target)
        yield Snapshot(job, up_to_here(result) if reached else result, reference)
        if reached:
            return


def ahead(opened: OpenedScan, index: int, experiment: Experiment, cache: StageCache) -> Iterator[Prepared]:
    """Do what the run of a slice would wait for: find its coil maps, and reconstruct it and take a gradient once.

    Yields the prepared slice after each.

    The maps stay in the cache, with the network and what it keeps of them.

    Raises
    ------
    ValueError
        Whatever the run will say.
    """
    prepared = prepare(opened.scan, experiment, index, cache)
    yield prepared
    reconstruct(prepared, experiment, cache)
    yield prepared
    _first_gradient()
    yield prepared


def _first_gradient() -> None:
    """Let torch import what it imports at the first gradient of a process: sympy, which keeps the window waiting."""
    with torch.enable_grad():
        source = torch.ones(1, requires_grad=True)
        torch.autograd.grad(2 * source, source, torch.ones(1))


def _reached(result: Result, target: float | None) -> bool:
    estimate = result.estimate
    if target is None or estimate is None or estimate.complete or not _can_be_cut(result):
        return False
    return 100 * map_error(result) <= target


def _reference(scan: Scan, job: Job, cache: StageCache) -> Image | None:
    if isinstance(job.experiment.undersampling, AsAcquired) or not bool(scan[job.index].mask.all()):
        return None
    return prepare(scan, job.experiment, job.index, cache).combined.cpu()


def kept(latest: Snapshot) -> Snapshot | None:
    """What is kept of a run that ends at a snapshot: cut to its samples where that can be, else unfinished.

    None if there is no map yet but a first look, or one of a single sample.
    """
    result = latest.result
    if result.estimate is None or result.estimate.only_first_look:
        return None
    if not result.experiment.variance.can_stop:
        return replace(latest, stopped=True)
    return replace(latest, result=up_to_here(result)) if _can_be_cut(result) else None


def _can_be_cut(result: Result) -> bool:
    """Whether an experiment that asks for fewer samples gives just those that are in."""
    return result.experiment.variance.can_stop and estimate_of(result).n_samples > 1


def up_to_here(result: Result) -> Result:
    """The result that stops at the samples that are in: the experiment that asks for just these gives it again.

    Raises
    ------
    ValueError
        If there are fewer than two samples, or the method cannot be cut short.
    """
    estimate = estimate_of(result)
    if not _can_be_cut(result):
        raise ValueError("nothing was reached that can be cut short; let the run go on")
    variance = result.experiment.variance.cut_to(estimate.n_samples)
    return replace(
        result,
        estimate=replace(estimate, n_total=estimate.n_samples),
        experiment=result.experiment.model_copy(update={"variance": variance}),
    )


def loaded(result: Result, number: int) -> Snapshot:
    """A result from a file, as a run of its own."""
    return Snapshot(Job(number, None, result.index, result.experiment), result, stopped=not result.complete)


class SharedCache(StageCache):
    """A few intermediate results that threads share: what one makes, the others wait for."""

    def __init__(self) -> None:
        super().__init__(n_entries=7)
        self._lock = RLock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is stored under the key, or make it."""
        with self._lock:
            return super().get(key, make)


def device_note(experiment: Experiment) -> str:
    """Where a run computes, and why."""
    if experiment.device == "cpu":
        return "Computes on the CPU, as chosen."
    if torch.cuda.is_available():
        return f"Computes on the GPU: {torch.cuda.get_device_name()}."
    if experiment.device == "cuda":
        return "A GPU is asked for, but torch finds none here; set device to auto or cpu."
    n_threads = torch.get_num_threads()
    return f"Computes on the CPU with {n_threads} thread{'s' * (n_threads > 1)}: torch finds no GPU here."
