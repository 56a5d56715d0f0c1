"""The finished runs of a window: which belong together, and in what they differ."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mri_noise.experiment import Experiment
from mri_noise.readings import estimate_of, map_error, total_error
from mri_noise.session.differences import described, differences
from mri_noise.session.identities import Identity, distinct_titles, identity
from mri_noise.session.jobs import Snapshot
from mri_noise.session.verdicts import linear_mark
from mri_noise.variance.maps import acceleration
from mri_noise.variance.sampling.monte_carlo import MonteCarlo


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
    titles = distinct_titles([run.job.opened for run in runs if run.job.opened is not None])
    rows = [_row(run, former, titles) for run, former in zip(runs, before, strict=True)]
    return pd.DataFrame(rows, index=[run.job.name for run in runs])


def _row(run: Snapshot, former: Snapshot | None, titles: Mapping[Identity, str]) -> dict[str, str | int | float]:
    result, estimate = run.result, estimate_of(run.result)
    sigma, samples = estimate.variance_magnitude[result.object].sqrt(), estimate.n_samples
    return {
        "median std": float(sigma.median()),
        "changed": "" if former is None else _changes(former, run, titles),
        "median SNR": float((result.image.abs()[result.object] / sigma).median()),
        "R": acceleration(result.mask),
        "model": result.experiment.reconstruction.label,
        "method": result.experiment.variance.kind,
        "samples": samples if estimate.complete else f"{samples} of {estimate.n_total}",
        "total error [%]": 100 * total_error(result),
        "linear": linear_mark(result),
        "map error [%]": 100 * map_error(result),
        "seconds": result.provenance.seconds,
        "scan": _scan_of(run, titles),
        "slice": result.index,
        "at (UTC)": result.provenance.started[11:16],
    }


def _scan_of(run: Snapshot, titles: Mapping[Identity, str]) -> str:
    """What the scan of a run is called among those of all runs; its plain name where its file is not known."""
    opened = run.job.opened
    return run.result.provenance.scan if opened is None else titles[identity(opened)]


def _changes(former: Snapshot, run: Snapshot, titles: Mapping[Identity, str]) -> str:
    """Settings in which a run differs from the one before it."""
    changed = described(differences(former.result.experiment, run.result.experiment))
    parts = [f"slice {run.job.index}"] if run.job.index != former.job.index else []
    parts += [changed] if changed else []
    names = [_scan_of(each, titles) for each in (former, run)]
    if names[0] != names[1] or run.result.provenance.fingerprint != former.result.provenance.fingerprint:
        parts.insert(0, f"scan {names[1]}")
    return ", ".join(parts) or "nothing"
