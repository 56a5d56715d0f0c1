"""Trained weights that a training begins with."""

from pathlib import Path

import pytest
import torch

from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet_image import ImageVarNetSettings
from mri_noise.recon.weights.checkpoint import load_network, read_training, save_network
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.training.initial import Initial
from mri_noise.training.loop.fit import train
from tests.training.trainings import equal, outcome, tiny_recipe

SMALL = {"denoiser": "multiscale", "widths": (2, 2, 2), "n_gradient_steps": 2}


def saved(folder: Path, *, seed: int = 5) -> Path:
    """Weights of the network of the tiny recipe."""
    path = folder / "before.safetensors"
    save_network(UNetSettings(n_channels=2, n_pools=1, seed=seed)(), path, {"n_steps": 7})
    return path


def test_a_training_begins_with_the_weights_of_a_file_and_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path)
    tiny_step = ("trainer.n_steps=1", "optimiser.learning_rate=1e-12")
    trained = train(tiny_recipe(tmp_path, f"initial.weights={path}", *tiny_step), tmp_path / "out")
    before, after = load_network(path).state_dict(), load_network(trained.weights).state_dict()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-10)
    assert read_training(trained.weights)["began_with"]["training"] == {"n_steps": 7}
    assert read_training(train(tiny_recipe(tmp_path, *tiny_step), tmp_path / "else").weights)["began_with"] is None


def test_a_training_goes_on_without_the_file_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    recipe = tiny_recipe(tmp_path, f"initial.weights={path}")
    train(recipe, tmp_path / "whole")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mri_noise.training.loop.fit.save_network", stop)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "out")
    (tmp_path / "out" / "checkpoints" / "step_00000010.ckpt").unlink()
    path.unlink()
    train(recipe, tmp_path / "out", resume=True)
    assert equal(outcome(tmp_path / "out"), outcome(tmp_path / "whole"))


def test_a_shipped_model_is_refined() -> None:
    network = Shipped(name="modl")().settings()
    told = Initial(weights="modl").fill(network)
    assert equal(dict(network.state_dict()), dict(Shipped(name="modl")().state_dict()))
    assert told["training"]["n_steps"] > 0
    assert len(told["sha256"]) == 64


def test_weights_fill_a_part_of_a_network(tmp_path: Path) -> None:
    path = tmp_path / "unrolled.safetensors"
    save_network(UnrolledSettings(n_steps=2, seed=3, **SMALL)(), path, {})
    settings = ImageVarNetSettings(n_cascades=2, widths=(2, 2, 2), n_gradient_steps=2, sensitivity_n_pools=1)
    network, random = settings(), settings()
    Initial(weights=path, part="cascades").fill(network)
    assert equal(dict(network.cascades.state_dict()), dict(load_network(path).state_dict()))
    assert equal(dict(network.map_network.state_dict()), dict(random.map_network.state_dict()))


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"weights": "modl"}, r"initial.weights 'modl' do not fit this network: the tensors .* of another network"),
        ({"weights": "unet"}, r"initial.weights 'unet' do not fit this network: the tensor"),
        ({"weights": "no.safetensors"}, r"cannot load weights from 'no.safetensors': No such file"),
        ({"weights": "unet", "part": "half"}, r"initial.part should be a part .* one of .*, or empty, got 'half'"),
    ],
)
def test_weights_of_another_network_are_refused(choices: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Initial.parse(choices).fill(UNetSettings(n_channels=2, n_pools=1)())


def test_final_steps_that_a_file_lacks_keep_their_initial_values(tmp_path: Path) -> None:
    path, settings = tmp_path / "before.safetensors", UnrolledSettings(n_steps=1, **SMALL)
    save_network(settings(), path, {})
    network = settings.model_copy(update={"n_final_steps": 2, "seed": 3})()
    Initial(weights=path).fill(network)
    expected = dict(load_network(path).state_dict()) | {
        "final.step_sizes.0": torch.tensor(-1.0),
        "final.step_sizes.1": torch.tensor(-1.0),
        "final.momenta.0": torch.tensor(0.3),
    }
    assert equal(dict(network.state_dict()), expected)


def test_nothing_is_begun_with_weights_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not fit this network"):
        train(tiny_recipe(tmp_path, "initial.weights=modl"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
