"""tools/average.py: the mean of trained weights and of those that their training began with."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mri_noise.recon.checkpoint import load_network, read_training, save_network
from mri_noise.recon.unet import UNetReconstructor, UNetSettings


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("average", Path(__file__).parents[1] / "tools" / "average.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(seed: int) -> UNetReconstructor:
    return UNetSettings(n_channels=2, n_pools=1, seed=seed)()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a training, and the weights that it began with."""
    first, folder = tmp_path / "first.safetensors", tmp_path / "unet"
    save_network(network(1), first, {"n_steps": 3})
    told = {"began_with": {"sha256": hashlib.sha256(first.read_bytes()).hexdigest()}, "n_steps": 5}
    folder.mkdir()
    save_network(network(2), folder / "unet.safetensors", told)
    return folder, first


def test_each_weight_is_between_and_the_file_says_so(tool: ModuleType, files: tuple[Path, Path]) -> None:
    folder, first = files
    path = tool.average(folder, first, 0.25)
    before, after, found = network(1).state_dict(), network(2).state_dict(), load_network(path).state_dict()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, 0.75 * before[name] + 0.25 * after[name])
    assert read_training(path)["averaged"] == 0.25
    assert read_training(path)["n_steps"] == 5
    with pytest.raises(ValueError, match="is an average already"):
        tool.average(folder, first, 0.5)


def test_other_weights_than_it_began_with_are_refused(tool: ModuleType, files: tuple[Path, Path]) -> None:
    folder, first = files
    save_network(network(3), first, {"n_steps": 3})
    with pytest.raises(ValueError, match="did not begin with"):
        tool.average(folder, first, 0.5)
