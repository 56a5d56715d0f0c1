"""The weights that come with the package."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch

from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.operators.jacobian import Jacobian
from mri_noise.pipeline import Prepared, StageCache, prepare
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.weights.checkpoint import read_training
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, Shipped, ShippedName, shipped_weights
from mri_noise.training.loop.metrics import quality

SAMPLE = Path(__file__).parents[3] / "sample_data" / "brain_phantom.h5"
MEGABYTE = 1_000_000

every_model = pytest.mark.parametrize("name", SHIPPED_NAMES)


def prepared(**choices: object) -> Prepared:
    """The middle slice of the sample scan."""
    return prepare(open_scan(SAMPLE), Experiment.parse(choices), 2, StageCache())


def undersampled() -> Prepared:
    return prepared(undersampling={"kind": "equispaced", "acceleration": 4})


def test_all_that_is_offered_is_there_and_nothing_else() -> None:
    found = {
        path.name for path in files("mri_noise.recon.weights.trained").iterdir() if path.name.endswith(".safetensors")
    }
    assert found == {f"{name}.safetensors" for name in SHIPPED_NAMES}


def test_weights_are_small() -> None:
    sizes = []
    for name in SHIPPED_NAMES:
        with shipped_weights(name) as path:
            sizes.append(path.stat().st_size)
    assert max(sizes) <= 3 * MEGABYTE
    assert sum(sizes) <= 15 * MEGABYTE


@every_model
def test_tells_how_it_was_trained(name: ShippedName) -> None:
    with shipped_weights(name) as path:
        training = read_training(path)
    assert training["recipe"]["name"] == name
    assert {"seed", "versions", "n_steps", "n_examples", "validation", "history"} <= training.keys()
    if "averaged" not in training:
        assert training["validation"]["psnr"] == max(entry["psnr"] for entry in training["history"])


@every_model
def test_recovers_the_sample_scan(name: ShippedName) -> None:
    """Networks that learned from targets do better than the best of the linear reconstructions.

    A U-Net has no data consistency and SSDU had no targets: they are held to what their input is.
    """
    data, target = undersampled(), prepared().combined
    region = data.encoding.coil_power > 0

    def psnr(choice: Shipped | ZeroFilled | CGSense) -> float:
        with torch.no_grad():
            return quality(choice()(data.kspace, data.encoding), target, region).psnr

    linear = [psnr(ZeroFilled())] + [psnr(CGSense(tikhonov=weight)) for weight in (0.001, 0.01, 0.1)]
    least = {"unet": linear[0] + 2, "modl-ssdu": linear[0] + 10}.get(name, max(linear))
    assert psnr(Shipped(name=name)) > least


@every_model
def test_is_linearised_by_replay(name: ShippedName) -> None:
    data = undersampled()
    network = Shipped(name=name)()

    def function(kspace: torch.Tensor) -> torch.Tensor:
        return network(kspace, data.encoding)

    jacobian = Jacobian.of_steps(function, data.kspace, chunk=2)
    v = torch.randn(data.kspace.shape, generator=torch.Generator().manual_seed(0), dtype=data.kspace.dtype)
    v = v * data.encoding.mask * (1e-4 * data.kspace.norm() / v.norm())
    with torch.no_grad():
        difference = (function(data.kspace + v) - function(data.kspace - v)) / 2
    # what is left is rounding, and gates that switch between the two points
    assert (jacobian(v[None])[0] - difference).norm() < 0.05 * difference.norm()
