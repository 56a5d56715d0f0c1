from dataclasses import replace

from mri_noise.acquisition.noise_sources import NoiseFromPrescan
from mri_noise.recon.linear import ZeroFilled
from mri_noise.session.jobs import Job, Snapshot
from mri_noise.session.runs import over_slices, runs_table
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.session.examples import EXPERIMENT, OPENED, steps

RESULT = steps()[-1].result


def run_of(number: int, index: int = 1, **changes: object) -> Snapshot:
    experiment = EXPERIMENT.model_copy(update=changes)
    return Snapshot(Job(number, OPENED, index, experiment), replace(RESULT, index=index, experiment=experiment))


def test_runs_of_other_slices_belong_together_if_they_ask_for_the_same() -> None:
    shown = run_of(5)
    runs = (run_of(1, 0), run_of(2, 2, seed=3), run_of(3, 0, variance=Sketch(n_probes=9)), run_of(4, 2), shown)
    assert [run.job.number for run in over_slices(runs, shown)] == [3, 5, 4]
    replicas = run_of(6, 0, variance=MonteCarlo())
    assert [run.job.number for run in over_slices((*runs, replicas), shown)] == [3, 5, 4]
    assert over_slices((), shown) == (shown,)


def test_a_row_says_what_changed() -> None:
    table = runs_table(
        [run_of(1), run_of(2, 2, reconstruction=ZeroFilled()), run_of(4, 2, reconstruction=ZeroFilled())]
    )
    assert list(table.index) == ["run 1", "run 2", "run 4"]
    assert list(table["changed"]) == ["", "slice 2, reconstruction zero-filled", "nothing"]
    assert list(table["model"]) == ["CG-SENSE", "zero-filled", "zero-filled"]
    assert list(table["slice"]) == [1, 2, 2]
    assert (table["median std"] > 0).all()
    other = run_of(5, noise=NoiseFromPrescan())
    other = replace(
        other, result=replace(other.result, provenance=replace(RESULT.provenance, scan="b", fingerprint="c"))
    )
    assert runs_table([run_of(1), other])["changed"].iloc[1].startswith("scan b")
