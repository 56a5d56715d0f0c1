"""What ``mri-noise evaluate`` does."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from mri_noise.acquisition.scan import Scan
from mri_noise.choices import kinds
from mri_noise.cli import console
from mri_noise.evaluation.bart import bart_program
from mri_noise.evaluation.cases import cases
from mri_noise.evaluation.figure import images_figure
from mri_noise.evaluation.methods import Fixed, Method, all_methods
from mri_noise.evaluation.rows import NoiseMaps, Row, evaluate
from mri_noise.evaluation.tables import psnr_table, row_table, summary_table, write_markdown
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.io.inputs import refuse_overwriting
from mri_noise.report import draw, write_table
from mri_noise.settings import override

_VARIED = {
    "undersampling": "--masks and --accelerations",
    "reconstruction": "--models",
    "variance": "--probes and --replicas",
}
"""What differs from row to row, and the options that choose it."""


def evaluate_scans(
    paths: Sequence[Path],
    *,
    measurement: str | None = None,
    models: str,
    masks: str,
    accelerations: str,
    assignments: Sequence[str],
    n_replicas: int,
    n_probes: int,
    tune: bool,
    trust_code: bool,
    output: Path,
) -> None:
    """Evaluate models and classical methods on scans, and write tables and figures to a folder.

    The tables are written anew with every row, so that an interruption loses nothing that was done.

    Raises
    ------
    ValueError
        For a wrong argument, and if no case could be evaluated at all.
    """
    methods = all_methods(_words(models), tune=tune, trust_code=trust_code)
    experiment = _experiment(assignments)
    noise_maps = NoiseMaps.parse({"n_probes": n_probes, "n_replicas": n_replicas}) if n_replicas else None
    scans = _scans(paths, measurement)
    chosen = list(cases(scans, _kinds(masks), _rates(accelerations)))
    _require_unread(output, scans, methods, experiment)
    if bart_program() is None:
        console.say("BART is not installed: its compressed sensing is left out")
    output.mkdir(parents=True, exist_ok=True)
    measured = console.count(evaluate(chosen, methods, experiment, noise_maps), len(chosen) * len(methods))
    try:
        rows = _write_all(measured, output)
    except KeyboardInterrupt as interrupt:
        interrupt.args = (f"interrupted; the rows until then are in '{output}'",)
        raise
    _report(rows, output)


def _require_unread(folder: Path, scans: Sequence[Scan], methods: Sequence[Method], experiment: Experiment) -> None:
    """Raise ValueError if a table or a page would take the place of what is evaluated."""
    networks = [method.reconstruction for method in methods if isinstance(method, Fixed)]
    inputs = {
        "a file of weights": [path for network in networks for path in network.files()],
        "a file that a setting names": tuple(experiment.files()),
        "one of the scans": [path for scan in scans for path in scan.files],
    }
    pages = [_page(folder, number) for number in range(sum(map(len, scans)))]
    refuse_overwriting([*_tables(folder), *pages], inputs)


def _write_all(measured: Iterable[Row], output: Path) -> list[Row]:
    """Write the tables with every row and the images with every slice; return the rows without their images."""
    rows: list[Row] = []
    for number, (_, of_slice) in enumerate(groupby(measured, key=lambda row: (row.case.scan, row.case.index))):
        page: list[Row] = []
        for row in of_slice:
            page.append(row)
            rows.append(replace(row, bench=None, image=None))
            _write(rows, output)
        if any(row.quality is not None for row in page):
            draw(images_figure(page), _page(output, number))
    return rows


def _write(rows: Sequence[Row], output: Path) -> None:
    table = row_table(rows)
    summary = summary_table(table)
    of_rows, rows_as_text, of_methods, methods_as_text = _tables(output)
    write_table(table, of_rows)
    write_markdown([table], rows_as_text)
    write_table(summary, of_methods)
    write_markdown([summary, psnr_table(table)], methods_as_text)


def _tables(folder: Path) -> tuple[Path, Path, Path, Path]:
    return folder / "evaluation.csv", folder / "evaluation.md", folder / "summary.csv", folder / "summary.md"


def _page(folder: Path, number: int) -> Path:
    return folder / f"images_{number}.png"


def _report(rows: Sequence[Row], output: Path) -> None:
    problems = [row for row in rows if row.problem]
    if len(problems) == len(rows):
        raise ValueError(problems[0].problem)
    console.show(summary_table(row_table(rows)))
    for problem in dict.fromkeys(row.problem for row in problems):
        affected = [f"{row.case.label}, {row.method}" for row in problems if row.problem == problem]
        console.say(f"{affected[0]}{' and others' * (len(affected) > 1)}: {problem}")
    console.say(f"tables and images are in {output.absolute()}")


def _experiment(assignments: Sequence[str]) -> Experiment:
    for assignment in assignments:
        option = _VARIED.get(assignment.partition("=")[0].partition(".")[0].strip())
        if option is not None:
            raise ValueError(f"an evaluation does not take '--set {assignment}'; use {option} instead")
    return override(Experiment(), assignments)


def _scans(paths: Sequence[Path], measurement: str | None) -> list[Scan]:
    scans = [open_scan(path, measurement) for path in paths]
    names = [scan.name for scan in scans]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"two scans have the name '{twice[0]}'; give each scan once, under names that differ")
    return scans


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _kinds(text: str) -> list[str]:
    words, known = _words(text), kinds("undersampling")
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        given = f"'{unknown[0]}'" if unknown else "none"
        raise ValueError(f"--masks should be some of {', '.join(known)}, separated by commas, got {given}")
    return list(dict.fromkeys(words))


def _rates(text: str) -> list[float]:
    try:
        rates = [float(word) for word in _words(text)]
    except ValueError:
        rates = []
    if not rates or not all(1 <= rate < math.inf for rate in rates):
        raise ValueError(f"--accelerations should be numbers from 1, separated by commas, got '{text}'")
    return rates
