from dataclasses import replace

import pytest

from mri_noise.acquisition.masks import Equispaced
from mri_noise.pipeline import StageCache
from mri_noise.readings import estimate_of
from mri_noise.recon.linear import ZeroFilled
from mri_noise.session.captions import seconds_left
from mri_noise.session.jobs import Job, OpenedScan, snapshots
from mri_noise.session.runs import runs_table
from mri_noise.session.state import N_RUNS_KEPT, Session, Status
from mri_noise.variance.check.linearity import Linearity
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.plan import Lattice, Plan
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.session.examples import EXPERIMENT, JOB, OPENED, steps

OPEN = Session().with_scan(OPENED, 1).with_choices(EXPERIMENT, None)

WITHOUT_LATTICE = Plan(None, 42, 0.11, 0.12, 24, 0.12, 8)


def after(n_steps: int) -> Session:
    session = OPEN.started()[0]
    for step in steps()[:n_steps]:
        session = session.received(step)
    return session


def test_the_sentence_names_what_is_missing() -> None:
    status = Session().status
    assert status.kind == "missing"
    assert "Open Sample" in status.sentence
    with pytest.raises(ValueError, match="No scan"):
        Session().started()


def test_a_scan_makes_it_ready() -> None:
    assert OPEN.status.kind == "ready"
    assert "slice 1" in OPEN.status.sentence
    assert "CG-SENSE" in OPEN.status.sentence


def test_a_run_says_how_far_it_is() -> None:
    assert "reading" in after(0).status.sentence
    assert "the image is there" in after(1).status.sentence
    assert "a first look at the noise is there" in after(2).status.sentence
    status = after(4).status
    assert status.kind == "running"
    assert status.progress == 0.5
    assert "4 of 8 probes" in status.sentence
    assert "s left" in status.sentence


def test_the_time_left_counts_what_planned_a_lattice_once() -> None:
    result = steps()[-1].result
    estimate = replace(
        estimate_of(result),
        n_samples=2,
        n_total=42,
        n_evaluations=36,
        plan=Plan(Lattice(2, 21, 5), 1, 0.01, 0.02, 16, 0.03, 32),
    )
    started = replace(result, estimate=estimate, provenance=replace(result.provenance, seconds=3.6))
    assert seconds_left(started) == pytest.approx(8)
    sketched = replace(started, estimate=replace(estimate, plan=None, n_evaluations=2))
    assert seconds_left(sketched) == pytest.approx(3.6 * 20)
    forward = replace(started, estimate=replace(estimate, plan=WITHOUT_LATTICE))
    assert seconds_left(forward) == pytest.approx(4)


def test_a_run_says_that_it_took_no_lattice() -> None:
    snapshot = steps()[-1]
    choices = EXPERIMENT.model_copy(update={"variance": LatticeProbing()})
    result = replace(
        snapshot.result, experiment=choices, estimate=replace(estimate_of(snapshot.result), plan=WITHOUT_LATTICE)
    )
    session = after(4).received(replace(snapshot, result=result)).finished()
    assert "8 forward products" in session.status.sentence
    assert "No lattice would have been cheaper." in session.status.sentence
    assert "lattice" not in after(6).finished().status.sentence


def test_a_finished_run_is_kept_and_done() -> None:
    session = after(6).finished()
    assert session.status.kind == "done"
    assert session.status.sentence.startswith("Run 1 is done: nearly linear, std known to 20.4 % (map 20.2 %, ")
    assert "; 8 probes, 20 evaluations in " in session.status.sentence
    assert session.advice is None
    assert session.runs == (steps()[-1],)
    assert session.job is None


def not_linear() -> Session:
    """A finished run whose linearisation does not hold."""
    snapshot = steps()[-1]
    linearity = Linearity(rho=0.1, bias=0.095, remaining_bias=0.095, corrected=False, n_pairs=8, n_evaluations=24)
    provenance = replace(snapshot.result.provenance, seconds=0.8)
    result = replace(snapshot.result, linearity=linearity, provenance=provenance)
    return after(4).received(replace(snapshot, result=result)).finished()


def test_a_run_that_is_not_linear_says_so_first_and_what_would_help() -> None:
    session = not_linear()
    assert session.status.kind == "doubtful"
    assert session.status.sentence.startswith(
        "Not linear at this noise: std known to 22.5 % only "
        "(map 20.4 %, beyond the linear part 9.5 %, noise level 1.1 %); "
        "Monte Carlo with 400 replicas would take about 16 s. Run 1: 8 probes"
    )
    advised = session.advice
    assert advised is not None
    assert (advised.variance, advised.seconds) == (MonteCarlo(n_replicas=400), pytest.approx(16))
    assert not session.wants_run


def test_what_is_advised_is_not_advised_where_it_is_wanted_impossible_or_there() -> None:
    session = not_linear()
    assert session.with_choices(EXPERIMENT.model_copy(update={"seed": 4}), None).advice is None
    assert session.with_fault("tikhonov").advice is None
    assert session.started()[0].advice is None
    replicas = EXPERIMENT.model_copy(update={"variance": MonteCarlo(n_replicas=8)})
    run = replace(steps()[-1], job=replace(JOB, number=2), result=replace(steps()[-1].result, experiment=replicas))
    with_replicas = session.with_kept(run)
    assert with_replicas.advice is None
    assert "run 2, Monte Carlo, holds at this noise" in with_replicas.status.sentence


def test_a_run_that_is_not_linear_says_so_while_it_is_on_and_where_it_was_cancelled() -> None:
    result = replace(steps()[3].result, linearity=not_linear().shown.result.linearity)
    running = OPEN.started()[0].received(replace(steps()[3], result=result))
    assert "Not linear at this noise: std known to" in running.status.sentence
    assert running.cancelled().status.sentence.startswith("Not linear at this noise: std known to")


def test_a_changed_choice_makes_the_layers_stale_until_it_is_undone() -> None:
    done = after(6).finished()
    changed = done.with_choices(EXPERIMENT.model_copy(update={"reconstruction": ZeroFilled()}), None)
    assert changed.status.kind == "stale"
    assert "reconstruction zero-filled" in changed.status.sentence
    assert changed.with_choices(EXPERIMENT, None).status.kind == "done"
    accelerated = EXPERIMENT.model_copy(update={"undersampling": Equispaced(acceleration=3, n_calibration=10)})
    assert done.with_choices(accelerated, None).stale == "acceleration 3"
    assert done.with_scan(OPENED, 2).stale == "slice 2"
    other = OpenedScan(replace(OPENED.scan, fingerprint="another"), OPENED.path)
    assert done.with_scan(other, 1).stale == "the scan"


def test_a_cancelled_run_keeps_what_it_reached() -> None:
    session = after(4).cancelled()
    (kept,) = session.runs
    assert kept.result.complete
    assert kept.result.experiment.variance.n_probes == 4
    assert "map of 4 probes is kept" in session.status.sentence
    assert session.job is None


def unfinished() -> Session:
    """A lattice run after its first colours."""
    lattice = EXPERIMENT.model_copy(update={"variance": LatticeProbing(target=0.1)})
    session, job = OPEN.with_choices(lattice, None).started()
    _image, _first_look, first_colours, *_ = snapshots(job, StageCache())
    return session.received(first_colours)


def test_a_cancelled_lattice_is_kept_and_called_unfinished() -> None:
    session = unfinished().cancelled()
    (kept,) = session.runs
    assert kept is session.shown
    estimate = estimate_of(kept.result)
    part = f"{estimate.n_samples} of {estimate.n_total} colours"
    assert session.status == Status("failed", f"Run 1 was cancelled; its map of {part} is kept.")
    assert replace(session, problem=None).status == session.status
    loaded = session.with_loaded(kept.result)
    assert loaded.status == Status("failed", f"Run 2 was cancelled; its map of {part} is kept.")
    assert loaded.with_shown(kept).status == session.status
    assert runs_table(session.runs).loc["run 1", "samples"] == part.removesuffix(" colours")


def test_another_run_takes_the_place_of_an_unfinished_lattice_and_of_no_sketch() -> None:
    assert unfinished().superseded().runs == ()
    assert len(after(4).superseded().runs) == 1
    assert OPEN.superseded() == OPEN


@pytest.mark.parametrize("n_steps", [0, 1, 2])
def test_a_run_cancelled_before_its_map_leaves_the_former_one(n_steps: int) -> None:
    session = after(6).finished().started()[0]
    for step in steps()[:n_steps]:
        session = session.received(replace(step, job=replace(JOB, number=2)))
    session = session.cancelled()
    assert session.runs == (steps()[-1],)
    assert session.shown == steps()[-1]
    assert "before its map" in session.status.sentence


def test_a_failed_run_says_why_and_leaves_the_former_one() -> None:
    session = after(6).finished().started()[0].failed("The batch is too large; lower variance.batch.")
    assert session.status.kind == "failed"
    assert session.status.sentence == "The batch is too large; lower variance.batch."
    assert session.shown == steps()[-1]
    assert session.with_choices(EXPERIMENT.model_copy(update={"seed": 3}), None).status.kind == "stale"


def test_snapshots_of_an_earlier_run_are_ignored() -> None:
    session = after(2).started()[0]
    assert session.received(steps()[4]) == session


def test_only_the_latest_runs_are_kept() -> None:
    session = OPEN
    for number in range(1, N_RUNS_KEPT + 3):
        session = session.started()[0].received(replace(steps()[-1], job=replace(JOB, number=number))).finished()
    assert [run.job.number for run in session.runs] == list(range(3, N_RUNS_KEPT + 3))


def test_job_names() -> None:
    assert (Job(3, OPENED, 0, EXPERIMENT).name, Job(3, OPENED, 0, EXPERIMENT).title) == ("run 3", "Run 3")


def test_a_result_from_a_file_is_a_run_whose_scan_need_not_be_open() -> None:
    session = Session().with_loaded(steps()[-1].result)
    assert session.shown is not None
    assert session.shown.job.opened is None
    assert session.runs[0].job.number == 1
    assert session.with_scan(OPENED, 1).with_choices(EXPERIMENT, None).status.kind == "done"


def test_what_does_not_fit_is_said_and_blocks_a_run() -> None:
    faulty = after(6).finished().with_fault("tikhonov: got 'much'")
    assert faulty.status.kind == "missing"
    assert faulty.status.sentence == "This does not fit: tikhonov: got 'much'."
    assert not faulty.can_run
    with pytest.raises(ValueError, match="tikhonov"):
        faulty.started()
    assert faulty.with_choices(EXPERIMENT, None) == after(6).finished()


def test_a_run_that_was_asked_to_stop_says_that_it_does() -> None:
    assert not after(4).stops
    stopping = after(4).asked_to_stop()
    assert stopping.stops
    assert "stops after the step" in stopping.status.sentence
    assert "is kept" in stopping.cancelled().status.sentence
    assert not stopping.cancelled().started()[0].stops
    assert OPEN.asked_to_stop() is OPEN


def test_a_batch_that_was_halved_is_said() -> None:
    result = steps()[3].result
    smaller = result.experiment.model_copy(update={"variance": Sketch(n_probes=8, batch=1)})
    halved = replace(steps()[3], result=replace(result, experiment=smaller))
    sentence = OPEN.started()[0].received(halved).status.sentence
    assert sentence.endswith("Memory ran out; this run uses batches of 1.")
    assert "Memory" not in after(4).status.sentence
    check = smaller.linearity.model_copy(update={"batch": 2})
    both = replace(halved, result=replace(result, experiment=smaller.model_copy(update={"linearity": check})))
    sentence = OPEN.started()[0].received(both).status.sentence
    assert sentence.endswith("this run uses batches of 1 and the check of linearity uses batches of 2.")
