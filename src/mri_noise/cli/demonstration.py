"""The main job on one scan: every reconstruction of the project, its noise by the sketch and by Monte Carlo."""

from itertools import chain
from pathlib import Path

import pandas as pd

from mri_noise.acquisition.masks import Equispaced
from mri_noise.acquisition.scan import Scan
from mri_noise.cli import console
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.io.inputs import refuse_overwriting
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, run
from mri_noise.readings import comparison_of
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, Shipped
from mri_noise.report import comparison_figure, draw, result_figure, write_table
from mri_noise.result import Result
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch

N_SAMPLES = 64

RECONSTRUCTIONS: dict[str, Reconstruction] = {
    "zero-filled": ZeroFilled(),
    "CG-SENSE": CGSense(),
    **{name: Shipped(name=name) for name in SHIPPED_NAMES},
}
"""Linear reconstructions, and every trained network that comes with the package."""


def demonstrate(path: Path | None, output: Path) -> None:
    """Write figures and a table of one scan (by default a simulated one) to a folder.

    Raises
    ------
    ValueError
        If the scan cannot be used or the folder cannot be written.
    """
    scan = Phantom()() if path is None else open_scan(path)
    table_path = output / "noise.csv"
    figures = {name: _figures(output, name) for name in RECONSTRUCTIONS}
    inputs = {
        "a file of weights": [path for choice in RECONSTRUCTIONS.values() for path in choice.files()],
        "the scan itself": scan.files,
    }
    refuse_overwriting([table_path, *chain.from_iterable(figures.values())], inputs)
    output.mkdir(parents=True, exist_ok=True)
    cache = StageCache()
    rows = []
    for name, reconstruction in RECONSTRUCTIONS.items():
        experiment = Experiment(undersampling=Equispaced(acceleration=4), reconstruction=reconstruction)
        sketch = _complete(scan, experiment.model_copy(update={"variance": Sketch(n_probes=N_SAMPLES)}), cache)
        replicas = _complete(scan, experiment.model_copy(update={"variance": MonteCarlo(n_replicas=N_SAMPLES)}), cache)
        rows.append(_row(name, sketch, replicas))
        of_maps, of_comparison = figures[name]
        draw(result_figure(sketch), of_maps)
        draw(comparison_figure(sketch, replicas), of_comparison)
    table = pd.DataFrame(rows)
    write_table(table, table_path)
    console.show(table, title=f"{scan.name}: std of the magnitude by {N_SAMPLES} probes and by {N_SAMPLES} replicas")
    console.say(
        "A reconstruction whose maps differ by more than expected from their sampling errors is not linear at this "
        "noise."
    )
    console.say(f"figures and table are in {output.absolute()}")


def _figures(folder: Path, name: str) -> tuple[Path, Path]:
    stem = name.lower()
    return folder / f"{stem}_maps.png", folder / f"{stem}_sketch_and_monte_carlo.png"


def _complete(scan: Scan, experiment: Experiment, cache: StageCache) -> Result:
    middle = len(scan) // 2
    return next(console.follow(run(scan, experiment, slices=[middle], cache=cache)))


def _row(name: str, sketch: Result, replicas: Result) -> dict[str, str | float]:
    comparison = comparison_of(sketch, replicas)
    return {
        "reconstruction": name,
        "difference [%]": 100 * comparison.nrmse,
        "expected [%]": 100 * comparison.expected_nrmse,
        "Pearson r": comparison.pearson,
        "sketch [s]": sketch.provenance.seconds,
        "replicas [s]": replicas.provenance.seconds,
    }
