"""The finished runs of a window: which belong together, and in what they differ."""

from collections.abc import Sequence

import pandas as pd

from mri_noise.experiment import Experiment
from mri_noise.report import estimate_of, map_error
from mri_noise.session.differences import described, differences
from mri_noise.session.jobs import Snapshot
from mri_noise.session.models import title_of_model
from mri_noise.variance.maps import acceleration
from mri_noise.variance.replica import MonteCarlo


def over_slices(runs: Sequence[Snapshot], shown: Snapshot) -> tuple[Snapshot, ...]:
    """The run that is shown, and of each other slice the latest that asks for the same; in the order of slices."""
    found = {run.job.index: run for run in runs if _asks_for_the_same(run, shown)}
    found[shown.job.index] = shown
    return tuple(found[index] for index in sorted(found))


def _asks_for_the_same(run: Snapshot, shown: Snapshot) -> bool:
    return (
        run.result.provenance.fingerprint == shown.result.provenance.fingerprint
        and run.result.experiment.variance.kind == shown.result.experiment.variance.kind
        and _image_of(run.result.experiment) == _image_of(shown.result.experiment)
    )


def _image_of(experiment: Experiment) -> Experiment:
    """What makes the image, whatever is asked about its noise."""
    return experiment.model_copy(update={"variance": MonteCarlo(), "rois": ()})


def runs_table(runs: Sequence[Snapshot]) -> pd.DataFrame:
    """A row a run: what it asks for, where that differs from the one before it, and what came of it."""
    before = [None, *runs[:-1]]
    rows = {run.job.name: _row(run, former) for run, former in zip(runs, before, strict=True)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _row(run: Snapshot, former: Snapshot | None) -> dict[str, str | int | float]:
    result, estimate = run.result, estimate_of(run.result)
    sigma, samples = estimate.variance_magnitude[result.object].sqrt(), estimate.n_samples
    return {
        "median std": float(sigma.median()),
        "changed": "" if former is None else _changes(former, run),
        "median SNR": float((result.image.abs()[result.object] / sigma).median()),
        "R": acceleration(result.mask),
        "model": title_of_model(result.experiment.reconstruction),
        "method": result.experiment.variance.kind,
        "samples": samples if estimate.complete else f"{samples} of {estimate.n_total}",
        "map error [%]": 100 * map_error(result),
        "seconds": result.provenance.seconds,
        "slice": result.index,
        "at (UTC)": result.provenance.started[11:16],
    }


def _changes(former: Snapshot, run: Snapshot) -> str:
    """Settings in which a run differs from the one before it."""
    changed = described(differences(former.result.experiment, run.result.experiment))
    parts = [f"slice {run.job.index}"] if run.job.index != former.job.index else []
    parts += [changed] if changed else []
    if run.result.provenance.fingerprint != former.result.provenance.fingerprint:
        parts.insert(0, f"scan {run.result.provenance.scan}")
    return ", ".join(parts) or "nothing"
