"""What the commands of ``mri-noise`` do."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch

from mri_noise import pipeline, report
from mri_noise.acquisition.scan import Scan
from mri_noise.atomic import check_writable
from mri_noise.choices import Untrusted, code_in, trusting
from mri_noise.cli import console
from mri_noise.experiment import Experiment, read_experiment
from mri_noise.io.formats import open_scan
from mri_noise.io.inputs import Inputs, refuse_overwriting
from mri_noise.io.measurements import NoSuchMeasurement
from mri_noise.io.nifti import save_nifti, volume_paths
from mri_noise.io.results import load_experiment, save_results
from mri_noise.result import Result
from mri_noise.settings import SettingsError, override
from mri_noise.variance.sampling.monte_carlo import MonteCarlo


def info(path: Path, *, measurement: str | None, as_json: bool) -> None:
    """Print what a scan file holds."""
    console.show(report.scan_table(open_scan(path, measurement)), as_json=as_json)


def models(*, as_json: bool) -> None:
    """Print which trained networks come with the package."""
    console.show(report.shipped_table(), as_json=as_json)


def print_experiment(experiment: Path | None, assignments: Sequence[str]) -> None:
    """Print a complete experiment as YAML."""
    choices, *_ = _experiment(experiment, assignments)
    sys.stdout.write(choices.to_yaml())


def run(
    path: Path,
    *,
    measurement: str | None,
    experiment: Path | None,
    assignments: Sequence[str],
    slices: str | None,
    output: Path,
    figure: Path | None,
    trust_code: bool,
    as_json: bool,
) -> None:
    """Run an experiment on a scan and save its results."""
    choices, saved_slices, saved_measurement = _experiment(experiment, assignments)
    choices = _runnable(choices, trust_code=trust_code)
    scan = _open(path, measurement, saved_measurement)
    chosen = _slices(slices, saved_slices, scan)
    inputs, as_nifti = _inputs(scan, experiment, choices), output.name.endswith((".nii", ".nii.gz"))
    written = volume_paths(output) if as_nifti else [output]
    refuse_overwriting(written, inputs)
    if figure is not None:
        figures = [_numbered(figure, i, len(chosen)) for i in chosen]
        refuse_overwriting(figures, inputs, "give another --figure")
        if {each.resolve() for each in figures} & {each.resolve() for each in written}:
            raise ValueError(f"'{figure}' is --output too, and one would overwrite the other; give another --figure")
        check_writable(figure)
    tables: list[tuple[pd.DataFrame, pd.DataFrame]] = []

    def finished() -> Iterator[Result]:
        for result in console.follow(pipeline.run(scan, choices, slices=chosen), quiet=as_json):
            tables.append((report.summary_table([result]), report.roi_table([result])))
            if figure is not None:
                report.draw(report.result_figure(result), _numbered(figure, result.index, len(chosen)))
            yield result

    if as_nifti:
        save_nifti(finished(), output)
    else:
        save_results(finished(), output)
    console.show(*(pd.concat(column, ignore_index=True) for column in zip(*tables, strict=True)), as_json=as_json)
    console.say(f"written: {output}")


def compare(
    path: Path,
    *,
    measurement: str | None,
    experiment: Path | None,
    assignments: Sequence[str],
    slices: str | None,
    n_replicas: int,
    output: Path | None,
    trust_code: bool,
    as_json: bool,
) -> None:
    """Compare the variance map of an experiment with Monte Carlo."""
    choices, saved_slices, saved_measurement = _experiment(experiment, assignments)
    choices = _runnable(choices, trust_code=trust_code)
    if isinstance(choices.variance, MonteCarlo):
        raise ValueError("compare sets a method against Monte Carlo; set variance.kind to lattice, sketch or exact")
    reference_choices = choices.model_copy(update={"variance": MonteCarlo(n_replicas=n_replicas)})
    scan, cache = _open(path, measurement, saved_measurement), pipeline.StageCache()
    chosen = _slices(slices, saved_slices, scan)
    if output is not None:
        written = [path for index in chosen for path in _compared(output, index)]
        refuse_overwriting(written, _inputs(scan, experiment, choices))
        output.mkdir(parents=True, exist_ok=True)
    for index in chosen:
        result, reference = (
            next(console.follow(pipeline.run(scan, each, slices=[index], cache=cache), quiet=as_json))
            for each in (choices, reference_choices)
        )
        agreement, cost = report.comparison_table(result, reference), report.cost_table([result, reference])
        console.show(agreement, cost, title=f"{scan.name}, {result.provenance.label}", as_json=as_json)
        if output is not None:
            of_agreement, of_cost, of_maps = _compared(output, index)
            report.write_table(agreement, of_agreement)
            report.write_table(cost, of_cost)
            report.draw(report.comparison_figure(result, reference), of_maps)
    if output is not None:
        console.say(f"written: {output}")


def _experiment(path: Path | None, assignments: Sequence[str]) -> tuple[Experiment, tuple[int, ...] | None, str]:
    """The experiment of a YAML file or of a saved result, with settings changed.

    Beside it, what a saved result says of its slices and of the measurement that they are of; its threads are taken.
    """
    slices, measurement, missing = None, "", ""
    if path is None:
        choices = Experiment()
    elif path.suffix in (".h5", ".hdf5"):
        saved = load_experiment(path)
        choices, slices, measurement = saved.experiment, saved.slices, saved.measurement
        missing = saved.missing
        torch.set_num_threads(saved.n_threads)
    else:
        choices = read_experiment(path)
    try:
        return override(choices, assignments), slices, measurement
    except SettingsError:
        if missing:
            raise ValueError(f"{missing}; install it, or choose another with --set") from None
        raise


def _runnable(choices: Experiment, *, trust_code: bool) -> Experiment:
    """The experiment, if it runs no code of others that nobody agreed to.

    Raises
    ------
    Untrusted
        If it does.
    """
    if trust_code:
        return trusting(choices)
    if code_in(choices):
        raise Untrusted(*code_in(choices))
    return choices


def _open(path: Path, named: str | None, saved: str) -> Scan:
    """Open the measurement that is named, or else that of a saved result."""
    if named is not None or not saved:
        return open_scan(path, named)
    try:
        return open_scan(path, saved)
    except NoSuchMeasurement as error:
        raise ValueError(f"{error}; --measurement goes before that of the saved result") from None


def _inputs(scan: Scan, experiment: Path | None, choices: Experiment) -> Inputs:
    return {
        "a file that a setting names": tuple(choices.files()),
        "the experiment itself": [] if experiment is None else [experiment],
        "the scan itself": scan.files,
    }


def _compared(folder: Path, index: int) -> tuple[Path, Path, Path]:
    """What a comparison writes of a slice: two tables and a figure."""
    return folder / f"agreement_{index}.csv", folder / f"cost_{index}.csv", folder / f"comparison_{index}.png"


def _slices(choice: str | None, saved: tuple[int, ...] | None, scan: Scan) -> tuple[int, ...]:
    if choice is None:
        return saved or (0,)
    if choice == "all":
        return tuple(range(len(scan)))
    if not choice.isdecimal():
        raise ValueError(f"--slice should be a number from 0 or 'all', got '{choice}'")
    return (int(choice),)


def _numbered(path: Path, index: int, n_slices: int) -> Path:
    return path if n_slices == 1 else path.with_stem(f"{path.stem}_{index}")
