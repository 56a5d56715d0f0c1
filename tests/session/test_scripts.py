import runpy
import shlex
from pathlib import Path

import pytest
import torch

from mri_noise import load_results, open_scan, run
from mri_noise.acquisition.coils import LowResolution
from mri_noise.acquisition.masks import Equispaced, PoissonDisc
from mri_noise.acquisition.noise_sources import NoiseLevel
from mri_noise.experiment import Experiment
from mri_noise.recon.linear import CGSense
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.roi import Ellipse, Polygon
from mri_noise.session.differences import described, differences, overrides
from mri_noise.session.scripts import as_command, as_python
from mri_noise.settings import override
from mri_noise.variance.sampling.sketch import Sketch

SAMPLE = Path(__file__).parents[2] / "sample_data" / "brain_phantom.h5"
EXPERIMENTS = (
    Experiment(),
    Experiment(reconstruction=CGSense(tolerance=1e-3), seed=4, prewhiten=False),
    Experiment(
        undersampling=PoissonDisc(acceleration=6.5),
        noise=NoiseLevel(level=3e-7),
        coils=LowResolution(n_calibration=12),
        reconstruction=Checkpoint(path=Path("it's here/a b.safetensors")),
        rois=(Ellipse(name="a, b", center=(3, 4), radii=(2, 1)), Polygon(vertices=((0, 1), (2, 3), (4, 0.5)))),
    ),
)
QUICK = Experiment(
    undersampling=Equispaced(acceleration=4),
    reconstruction=UNetSettings(n_channels=4, n_pools=2),
    variance=Sketch(n_probes=4),
)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_command_holds_the_experiment(experiment: Experiment) -> None:
    words = shlex.split(as_command(Path("a scan's.h5"), 2, experiment, "out.h5"))
    assert words[:7] == ["mri-noise", "run", "a scan's.h5", "--output", "out.h5", "--slice", "2"]
    assert set(words[7::2]) <= {"--set"}
    assert override(Experiment(), words[8::2]) == experiment


def test_command_and_program_name_the_measurement() -> None:
    command = as_command(Path("a.h5"), 2, Experiment(), measurement="dataset_2/encoding 1")
    assert shlex.split(command)[7:] == ["--measurement", "dataset_2/encoding 1"]
    assert "open_scan('a.h5', 'dataset_2/encoding 1')" in as_python(
        Path("a.h5"), 2, Experiment(), measurement="dataset_2/encoding 1"
    )


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_overrides_say_no_more_than_they_must(experiment: Experiment) -> None:
    assert (overrides(experiment) == {}) == (experiment == Experiment())


def test_the_python_program_gives_the_same_map(tmp_path: Path) -> None:
    script, output = tmp_path / "again.py", tmp_path / "out.h5"
    script.write_text(as_python(SAMPLE, 1, QUICK, str(output)), encoding="utf-8")
    runpy.run_path(str(script))
    (loaded,) = load_results(output)
    *_, expected = run(open_scan(SAMPLE), QUICK, slices=[1])
    assert loaded.index == 1
    variances = [each.estimate.channels["complex"].variance for each in (loaded, expected)]
    assert torch.equal(*variances)


def test_differences_are_named_and_described() -> None:
    first, second = EXPERIMENTS[0], EXPERIMENTS[1]
    assert differences(first, first) == {}
    changes = differences(first, second)
    assert changes == {"prewhiten": (True, False), "reconstruction.tolerance": (None, 0.001), "seed": (0, 4)}
    assert described(changes) == "prewhiten False, tolerance 0.001, seed 4"
    assert described(differences(first, EXPERIMENTS[2])).startswith("undersampling poisson-disc, noise level")
