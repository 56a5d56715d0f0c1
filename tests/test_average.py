"""tools/average.py: the mean of trained weights and of others of the same network."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.weights.checkpoint import load_network, read_training, save_network
from mri_noise.training.loop.fit import train
from tests.training.trainings import tiny_recipe


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("average", Path(__file__).parents[1] / "tools" / "average.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that went on from another one."""
    folder = tmp_path_factory.mktemp("average")
    first = train(tiny_recipe(folder), folder / "first").weights
    train(tiny_recipe(folder, f"initial.weights={first}", "optimiser.learning_rate=0.01"), folder / "tiny")
    return folder


def test_each_weight_is_between_and_the_file_says_so(tool: ModuleType, place: Path) -> None:
    files = place / "first" / "tiny.safetensors", place / "tiny" / "tiny.safetensors"
    before, after = (load_network(path).state_dict() for path in files)
    n_steps, alone = read_training(files[1])["n_steps"], read_training(files[1])["validation"]
    path = tool.average(place / "tiny", files[0], 0.25)
    for name, tensor in load_network(path).state_dict().items():
        torch.testing.assert_close(tensor, 0.75 * before[name] + 0.25 * after[name])
    told = read_training(path)
    assert (told["averaged"], told["n_steps"]) == (0.25, n_steps)
    assert told["validation"].keys() == alone.keys()
    assert told["validation"] != alone
    assert told["averaged_with"] == hashlib.sha256(files[0].read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="is an average already"):
        tool.average(place / "tiny", files[0], 0.5)


def test_weights_of_another_network_are_refused(tool: ModuleType, place: Path, tmp_path: Path) -> None:
    """Nothing is written."""
    other = tmp_path / "other.safetensors"
    save_network(UNetSettings(n_channels=3, n_pools=1)(), other, {})
    before = (place / "first" / "tiny.safetensors").read_bytes()
    (place / "first" / "first.safetensors").write_bytes(before)
    with pytest.raises(ValueError, match="should have the shape"):
        tool.average(place / "first", other, 0.5)
    assert (place / "first" / "first.safetensors").read_bytes() == before
