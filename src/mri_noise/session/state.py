"""What an open window knows: its scan, its choices, the run that is on, the runs that are done."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mri_noise.experiment import Experiment
from mri_noise.pipeline import Prepared
from mri_noise.readings import estimate_of
from mri_noise.result import Result
from mri_noise.session.captions import reached, seconds_left
from mri_noise.session.differences import described, differences
from mri_noise.session.jobs import Job, OpenedScan, Snapshot, kept, loaded
from mri_noise.session.notes import noise_note, remark_note
from mri_noise.session.verdicts import Advice, advice, doubt, is_doubtful, known_to
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.sampling.monte_carlo import MonteCarlo

StatusKind = Literal["missing", "ready", "running", "stale", "done", "doubtful", "failed"]
N_RUNS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Status:
    """What the status line says, and how it is shaped.

    Attributes
    ----------
    kind
    sentence
    progress
        Share of the samples that are in, between 0 and 1; None where nothing is counted.
    """

    kind: StatusKind
    sentence: str
    progress: float | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """The knowledge of one window; what happens to it makes a new one.

    Attributes
    ----------
    opened, index, experiment, target
        The scan, its slice, and what the form says.
    job, latest
        The run that is on, and its last snapshot.
    runs
        Final snapshots, oldest first.
    shown
        Whose layers are on screen.
    fault
        What in the form does not fit, in one sentence.
    problem
        Why the last run ended early, in one sentence.
    n_started
        Runs so far.
    stopping
        Number of the run that was last asked to stop; it does so after the step that it computes.
    prepared
        What was found ahead of a run of a scan.
    """

    opened: OpenedScan | None = None
    index: int = 0
    experiment: Experiment = field(default_factory=Experiment)
    target: float | None = None
    job: Job | None = None
    latest: Snapshot | None = None
    runs: tuple[Snapshot, ...] = ()
    shown: Snapshot | None = None
    fault: str | None = None
    problem: str | None = None
    n_started: int = 0
    stopping: int = 0
    prepared: tuple[OpenedScan, Prepared] | None = None

    def with_scan(self, opened: OpenedScan, index: int) -> "Session":
        """Choose a scan and a slice."""
        return replace(self, opened=opened, index=min(index, len(opened.scan) - 1), problem=None)

    def with_prepared(self, opened: OpenedScan, prepared: Prepared) -> "Session":
        """Remember what was found ahead of a run of a scan."""
        return replace(self, prepared=(opened, prepared))

    @property
    def notes(self) -> tuple[str, str]:
        """The noise of the chosen scan, and remarks on its data; of the run that is shown, else as found ahead."""
        if self.opened is None:
            return "", ""
        if self.shown is not None and self.shown.result.provenance.fingerprint == self.opened.scan.fingerprint:
            return noise_note(self.shown.result.noise), remark_note(self.shown.result.provenance.remarks)
        if self.prepared is not None and self.prepared[0] is self.opened:
            return noise_note(self.prepared[1].noise), remark_note(self.prepared[1].remarks)
        return "", ""

    def with_choices(self, experiment: Experiment, target: float | None) -> "Session":
        """Take over what the form says; a former problem is forgotten if it changed."""
        if (experiment, target) == (self.experiment, self.target):
            return replace(self, fault=None)
        return replace(self, experiment=experiment, target=target, fault=None, problem=None)

    def with_fault(self, sentence: str) -> "Session":
        """Remember that the form holds something that does not fit."""
        return replace(self, fault=sentence)

    def started(self) -> tuple["Session", Job]:
        """Start a run of the present choices, and return it too.

        Raises
        ------
        ValueError
            If there is no scan, or the form does not fit.
        """
        if self.opened is None or self.fault is not None:
            raise ValueError(self.fault or _NO_SCAN)
        number = self.n_started + 1
        job = Job(number, self.opened, self.index, self.experiment, self.target)
        return replace(self, job=job, latest=None, problem=None, n_started=number), job

    def aside(self, run: Snapshot, variance: VarianceMethod) -> tuple["Session", Job]:
        """Ask for replicas of a run, to be computed beside what is shown.

        Raises
        ------
        ValueError
            If the scan of the run is not open.
        """
        opened = self.opened
        if opened is None or opened.scan.fingerprint != run.result.provenance.fingerprint:
            raise ValueError(f"the scan of {run.job.name} is not open; open its file")
        number = self.n_started + 1
        experiment = run.result.experiment.model_copy(update={"variance": variance})
        return replace(self, n_started=number), Job(number, opened, run.result.index, experiment)

    def beside(self, experiments: Sequence[Experiment]) -> tuple["Session", tuple[Job, ...]]:
        """Ask for runs of experiments on the chosen slice, to be computed beside what is shown.

        Raises
        ------
        ValueError
            If there is no scan.
        """
        if self.opened is None:
            raise ValueError(_NO_SCAN)
        first = self.n_started + 1
        jobs = tuple(Job(first + n, self.opened, self.index, each) for n, each in enumerate(experiments))
        return replace(self, n_started=self.n_started + len(jobs)), jobs

    def with_shown(self, snapshot: Snapshot) -> "Session":
        """Show a finished run again; what the last run ended of is no longer said."""
        return replace(self, shown=snapshot, problem=None)

    def with_kept(self, snapshot: Snapshot) -> "Session":
        """Keep a complete run that was computed beside what is shown."""
        return replace(self, runs=(*self.runs, snapshot)[-N_RUNS_KEPT:])

    def replicas_of(self, run: Snapshot) -> Snapshot | None:
        """The latest Monte Carlo run of the same image."""
        asked = _apart_from_variance(run.result.experiment)
        origin = (run.result.provenance.fingerprint, run.result.index)
        for other in reversed(self.runs):
            result = other.result
            if (
                not result.experiment.variance.linearises
                and (result.provenance.fingerprint, result.index) == origin
                and _apart_from_variance(result.experiment) == asked
            ):
                return other
        return None

    def received(self, snapshot: Snapshot) -> "Session":
        """Take in a snapshot; those of a run that is no longer on are ignored."""
        if self.job is None or snapshot.job.number != self.job.number:
            return self
        return replace(self, latest=snapshot, shown=snapshot)

    def finished(self) -> "Session":
        """End the run that is on; its last snapshot joins the finished runs if it is final."""
        latest = self.latest
        if latest is None or not latest.final:
            return replace(self, job=None, latest=None)
        return replace(self, job=None, latest=None, runs=(*self.runs, latest)[-N_RUNS_KEPT:], shown=latest)

    def asked_to_stop(self) -> "Session":
        """Remember that the run that is on should stop."""
        return self if self.job is None else replace(self, stopping=self.job.number)

    def cancelled(self) -> "Session":
        """End the run that is on, and keep what it reached."""
        if self.job is None:
            return self
        latest = None if self.latest is None else kept(self.latest)
        name = self.job.title
        if latest is None:
            return replace(self.finished(), shown=_last(self.runs), problem=f"{name} was cancelled before its map.")
        ended = replace(self, latest=latest).finished()
        return replace(ended, problem=_ended_early(latest))

    def superseded(self) -> "Session":
        """End the run that is on for another one, and keep what it reached unless that is unfinished."""
        latest = None if self.latest is None else kept(self.latest)
        unfinished = latest is None or latest.stopped
        return replace(self, job=None, latest=None) if unfinished else self.cancelled()

    def failed(self, sentence: str) -> "Session":
        """End the run that is on, with the reason; former results stay."""
        return replace(self, job=None, latest=None, shown=_last(self.runs), problem=sentence)

    def with_loaded(self, result: Result) -> "Session":
        """Take in a result from a file, as a run of its own."""
        snapshot = loaded(result, self.n_started + 1)
        runs = (*self.runs, snapshot)[-N_RUNS_KEPT:]
        return replace(self, runs=runs, shown=snapshot, n_started=snapshot.job.number, problem=None)

    @property
    def stops(self) -> bool:
        """Whether the run that is on was asked to stop."""
        return self.job is not None and self.job.number == self.stopping

    @property
    def can_run(self) -> bool:
        """Whether everything is there for a run."""
        return self.opened is not None and self.fault is None

    @property
    def wants_run(self) -> bool:
        """Whether what is shown, or computed at the moment, is not what the form asks for."""
        if self.job is not None:
            return (self.job.experiment, self.job.index) != (self.experiment, self.index)
        return self.status.kind in ("ready", "stale")

    @property
    def stale(self) -> str:
        """What changed since the run that is shown; empty if nothing did."""
        if self.shown is None:
            return ""
        job = self.shown.job
        changes = described(differences(job.experiment, self.experiment))
        if self.opened is not None and self.shown.result.provenance.fingerprint != self.opened.scan.fingerprint:
            return "the scan"
        if job.index != self.index:
            return f"slice {self.index}" + (f", {changes}" if changes else "")
        return changes

    @property
    def status(self) -> Status:
        """What is missing, running, stale or done."""
        if self.job is not None and self.stops:
            return Status("running", f"{self.job.title}: stops after the step that is being computed.")
        if self.job is not None:
            return _running(self.job, self.latest)
        if self.fault is not None:
            return Status("missing", f"This does not fit: {self.fault}.")
        if self.problem is not None:
            return Status("failed", self.problem)
        if self.opened is None:
            return Status("missing", _NO_SCAN)
        return self._at_rest()

    def _at_rest(self) -> Status:
        if self.shown is None:
            model = self.experiment.reconstruction.label
            return Status("ready", f"Ready: Run reconstructs slice {self.index} by {model} and maps its noise.")
        if self.stale:
            return Status("stale", f"Stale: the layers show {self.shown.job.name}. Changed since: {self.stale}.")
        if self.shown.stopped:
            return Status("failed", _ended_early(self.shown))
        return Status("doubtful" if is_doubtful(self.shown.result) else "done", self._summary(self.shown))

    @property
    def advice(self) -> Advice | None:
        """What is advised now: nothing while a run is on or wanted, or where its answer is there already."""
        if self.status.kind != "doubtful" or self.shown is None or not self.can_run:
            return None
        return None if self.replicas_of(self.shown) is not None else advice(self.shown.result)

    def _summary(self, shown: Snapshot) -> str:
        """What came of a run; first, where its linearisation does not hold, that, and what would help."""
        result, estimate = shown.result, estimate_of(shown.result)
        took = (
            f"{reached(result)}, {estimate.n_evaluations} evaluations in {result.provenance.seconds:.1f} s."
            f"{_without_lattice(result)}{_halved(shown.job, result)}"
        )
        missing = f" {result.missing[0].upper()}{result.missing[1:]}." if result.missing else ""
        if is_doubtful(result):
            return f"{doubt(result)}{self._remedy(shown)}. {shown.job.title}: {took}{missing}"
        verdict = "" if result.linearity is None else f"{result.linearity.verdict.partition(':')[0]}, "
        return f"{shown.job.title} is done: {verdict}{known_to(result)}; {took}{missing}"

    def _remedy(self, shown: Snapshot) -> str:
        replicas, advised = self.replicas_of(shown), advice(shown.result)
        if replicas is not None:
            return f"; {replicas.job.name}, Monte Carlo, holds at this noise"
        return "" if advised is None else f"; {advised.words} would take {advised.duration}"


_NO_SCAN = "No scan: drop a file on the window, or choose File > Open Sample > MRI noise."


def _apart_from_variance(experiment: Experiment) -> Experiment:
    return experiment.model_copy(update={"variance": MonteCarlo(), "rois": ()})


def _last(runs: tuple[Snapshot, ...]) -> Snapshot | None:
    return runs[-1] if runs else None


def _running(job: Job, latest: Snapshot | None) -> Status:
    if latest is None:
        model = job.experiment.reconstruction.label
        return Status("running", f"{job.title}: reading slice {job.index}, reconstructing by {model}.")
    result = latest.result
    if result.estimate is None:
        return Status("running", f"{job.title}: the image is there, the first samples are on their way.")
    estimate = result.estimate
    if estimate.only_first_look:
        return Status(
            "running", f"{job.title}: a first look at the noise is there, the map is on its way.{_halved(job, result)}"
        )
    share = estimate.n_samples / estimate.n_total
    error = f"{doubt(result) or known_to(result)}, " if estimate.n_samples > 1 else ""
    return Status(
        "running",
        f"{job.title}: {reached(result)}, "
        f"{estimate.n_evaluations} evaluations, "
        f"{error}{seconds_left(result):.0f} s left.{_halved(job, result)}",
        share,
    )


def _without_lattice(result: Result) -> str:
    """What is said where a lattice was asked for and is not worth its evaluations; else nothing."""
    plan = estimate_of(result).plan
    return "" if plan is None or plan.lattice is not None else " No lattice would have been cheaper."


def _halved(job: Job, result: Result) -> str:
    """What is said where memory ran out and a batch was halved; else nothing."""
    asked, used = job.experiment, result.experiment
    batches = {
        "this run": tuple(getattr(each.variance, "batch", None) for each in (asked, used)),
        "the check of linearity": (asked.linearity.batch, used.linearity.batch),
    }
    said = [f"{what} uses batches of {batch}" for what, (before, batch) in batches.items() if batch != before]
    return f" Memory ran out; {' and '.join(said)}." if said else ""


def _ended_early(shown: Snapshot) -> str:
    """What is said of a cancelled run, also when it is shown again or comes from a file."""
    doubted = f"{doubt(shown.result)}. " if is_doubtful(shown.result) else ""
    return f"{doubted}{shown.job.title} was cancelled; its map of {reached(shown.result)} is kept."
