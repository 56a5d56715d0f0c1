"""The command ``mri-noise``. Its help is quick: torch is imported when a command runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from mri_noise.cli import console
from mri_noise.machine.allocation import is_out_of_memory
from mri_noise.signals import ending_of, raise_when_asked_to_end

app = typer.Typer(
    name="mri-noise",
    help="See what noise does in an MRI reconstruction: voxel-wise noise variance of linear and deep-learning images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScanPath = Annotated[Path, typer.Argument(metavar="SCAN", help="fastMRI or ISMRMRD HDF5, or BART .cfl")]
ExperimentPath = Annotated[
    Path | None,
    typer.Option("--experiment", "-e", help="YAML of settings, or a saved OUT.h5 whose experiment is repeated"),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="a.b=c", help="Change one setting (repeatable), such as variance.seed=1"),
]
MeasurementName = Annotated[
    str | None,
    typer.Option("--measurement", metavar="NAME", help="Which of several in the file, see info; else the largest"),
]
TrustCode = Annotated[
    bool, typer.Option("--trust-code", help="Run Python code that a file names (an experiment, a recipe, weights)")
]
SliceChoice = Annotated[str | None, typer.Option("--slice", metavar="N|all", help="Slice number from 0, or all")]
Folder = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for tables and figures")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else")]


@app.command()
def info(scan: ScanPath, measurement: MeasurementName = None, json: AsJson = False) -> None:
    """Say what a scan file holds."""
    with _one_sentence():
        from mri_noise.cli import commands

        commands.info(scan, measurement=measurement, as_json=json)


@app.command()
def models(json: AsJson = False) -> None:
    """List the trained networks that come with the package."""
    with _one_sentence():
        from mri_noise.cli import commands

        commands.models(as_json=json)


@app.command()
def run(
    scan: Annotated[Path | None, typer.Argument(metavar="SCAN", help="fastMRI or ISMRMRD HDF5, or BART .cfl")] = None,
    measurement: MeasurementName = None,
    experiment: ExperimentPath = None,
    assignments: Assignments = None,
    slices: SliceChoice = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="OUT.h5, or OUT.nii.gz for a NIfTI volume of each map")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw the maps, a picture (PNG, PDF) a slice")] = None,
    print_experiment: Annotated[
        bool, typer.Option("--print-experiment", help="Print the complete experiment as YAML, and stop")
    ] = False,
    trust_code: TrustCode = False,
    json: AsJson = False,
) -> None:
    """Reconstruct a scan and map the noise variance of its image."""
    with _one_sentence():
        from mri_noise.cli import commands

        if print_experiment:
            commands.print_experiment(experiment, assignments or [])
        elif scan is None or output is None:
            raise ValueError("a run needs a scan and a place for its result; write mri-noise run SCAN --output OUT.h5")
        else:
            commands.run(
                scan,
                measurement=measurement,
                experiment=experiment,
                assignments=assignments or [],
                slices=slices,
                output=output,
                figure=figure,
                trust_code=trust_code,
                as_json=json,
            )


@app.command()
def compare(
    scan: ScanPath,
    measurement: MeasurementName = None,
    experiment: ExperimentPath = None,
    assignments: Assignments = None,
    slices: SliceChoice = None,
    replicas: Annotated[int, typer.Option(min=2, help="Monte Carlo replicas of the reference")] = 400,
    output: Folder = None,
    trust_code: TrustCode = False,
    json: AsJson = False,
) -> None:
    """Compare the variance map of an experiment with Monte Carlo."""
    with _one_sentence():
        from mri_noise.cli import commands

        commands.compare(
            scan,
            measurement=measurement,
            experiment=experiment,
            assignments=assignments or [],
            slices=slices,
            n_replicas=replicas,
            output=output,
            trust_code=trust_code,
            as_json=json,
        )


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="YAML of settings; see docs/training.md")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for weights, checkpoints and log")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="a.b=c", help="Change one setting (repeatable): trainer.n_steps=2000"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in the folder")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A data file that cannot be used is an error")] = False,
    trust_code: TrustCode = False,
) -> None:
    """Train a network."""
    with _one_sentence():
        _require_extra("train", "lightning", "torchmetrics", "tensorboard")
        from mri_noise.training.loop import fit
        from mri_noise.training.recipe import read_recipe

        choices = read_recipe(recipe, assignments or [], trust_code=trust_code)
        trained = fit.train(
            choices, output, resume=resume, strict=strict, progress=console.on_terminal(), source=recipe
        )
        if fit.is_first_process():
            console.show(trained.table())
            console.say(f"written: {trained.weights}")


@app.command()
def evaluate(
    scans: Annotated[list[Path], typer.Argument(metavar="SCANS...", help="Fully sampled scans of any format")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables and images")],
    models: Annotated[str, typer.Option(metavar="M1,M2", help="Shipped models, files of weights, or kinds")] = "",
    masks: Annotated[str, typer.Option(help="Kinds of masks")] = "random-lines, equispaced, poisson-disc",
    accelerations: Annotated[str, typer.Option(help="Net accelerations, calibration included")] = "4,8",
    measurement: MeasurementName = None,
    assignments: Assignments = None,
    replicas: Annotated[int, typer.Option(min=0, help="Monte Carlo replicas; 0: no noise maps")] = 200,
    probes: Annotated[int, typer.Option(min=1, help="Probes of the sketch")] = 100,
    tune: Annotated[bool, typer.Option(help="Give classical methods the weight of the highest PSNR")] = True,
    trust_code: TrustCode = False,
) -> None:
    """Compare trained networks with classical reconstructions: image quality and noise maps."""
    with _one_sentence():
        _require_extra("train", "torchmetrics")
        from mri_noise.cli.evaluation import evaluate_scans

        evaluate_scans(
            scans,
            measurement=measurement,
            models=models,
            masks=masks,
            accelerations=accelerations,
            assignments=assignments or [],
            n_replicas=replicas,
            n_probes=probes,
            tune=tune,
            trust_code=trust_code,
            output=output,
        )


@app.command()
def demo(
    scan: Annotated[Path | None, typer.Argument(metavar="[SCAN]", help="Default: a simulated brain scan")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables and figures")] = Path("demo"),
) -> None:
    """Run the main job once: every reconstruction, its noise by the sketch and by Monte Carlo."""
    with _one_sentence():
        from mri_noise.cli.demonstration import demonstrate

        demonstrate(scan, output)


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn a user's mistake into one sentence on standard error and exit status 1, and a signal n into 128 + n."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        console.complain(str(interrupt) or "interrupted; the result was not written")
        raise typer.Exit(_status(interrupt)) from None
    except (ValueError, IndexError, OSError) as error:
        console.complain(str(error))
        raise typer.Exit(_status(error)) from None
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        console.complain("there is not enough memory for this run; choose a smaller model, or device=cpu")
        raise typer.Exit(1) from None


def _status(error: BaseException) -> int:
    """The exit status: by the signal that an error comes from, such as a write to the terminal that has hung up."""
    number = ending_of(error)
    return 1 if number is None else 128 + number


def _require_extra(name: str, *packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ValueError(f'this command needs {missing[0]}; install it with: pip install "napari-mri-noise[{name}]"')


def main() -> None:
    """Entry point of the command; whatever signal ends it, it cleans up as it does after Ctrl-C."""
    raise_when_asked_to_end()
    app()
