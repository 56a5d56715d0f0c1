import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mri_noise.recon.networks.meddlr_unet import MeddlrUNetSettings
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.recon.weights.checkpoint import Checkpoint, checksum, load_network, read_training, save_network
from mri_noise.settings import Settings
from tests.problems import equispaced, problem
from tests.recon import layout_tensors as layout

P = problem(9, 14, 3, equispaced(9, 14, 2, 6), dtype=torch.complex64)

SMALL: list[Settings] = [
    UNetSettings(n_channels=3, n_pools=2, seed=1),
    UNetSettings(in_channels=1, n_channels=2, n_pools=1),
    UnrolledSettings(n_steps=2, n_blocks=2, n_features=4, scale="percentile", seed=2),
    UnrolledSettings(n_steps=3, n_blocks=1, n_features=3, share_weights=True),
    MoDLSettings(n_steps=2, n_blocks=1, n_features=3),
    VarNetSettings(n_cascades=2, n_channels=3, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1),
    MeddlrUNetSettings(n_channels=3, n_pools=2),
]
TRAINING = {"epochs": 12, "loss": "ssim", "data": ["knee", None], "rate": 1e-3}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "network.safetensors"
    save_network(SMALL[2](), path, TRAINING)
    return path


def changed(path: Path, *, tensors: dict[str, Tensor] | None = None, **metadata: str | None) -> None:
    """Write the file again, with the checksum of what it now holds."""
    with safe_open(path, framework="pt") as file:
        values = file.metadata() | metadata
    tensors = load_file(path) if tensors is None else tensors
    if "sha256" not in metadata:
        values["sha256"] = checksum(values["settings"], tensors)
    save_file(tensors, path, {name: value for name, value in values.items() if value is not None})


@pytest.mark.parametrize("choice", SMALL, ids=lambda choice: choice.kind)
def test_saving_and_loading_is_exact(tmp_path: Path, choice: Settings) -> None:
    network = choice()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.1)
    save_network(network, tmp_path / "w", TRAINING)
    loaded = Checkpoint(path=tmp_path / "w")()

    assert isinstance(loaded, Reconstructor)
    assert isinstance(loaded, type(network))
    assert loaded.settings == choice
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)
    with torch.no_grad():
        expected = network(P.kspace, P.encoding)
    torch.testing.assert_close(loaded(P.kspace, P.encoding), expected, rtol=0, atol=0)
    assert not loaded.training
    assert not any(weight.requires_grad for weight in loaded.parameters())
    assert read_training(tmp_path / "w") == TRAINING


def test_double_precision_is_kept(tmp_path: Path) -> None:
    network = SMALL[2]().double()
    save_network(network, tmp_path / "w", {})
    torch.testing.assert_close(load_network(tmp_path / "w").state_dict(), network.state_dict(), rtol=0, atol=0)


def test_loading_needs_no_random_numbers_and_keeps_the_generator(saved: Path) -> None:
    state = torch.get_rng_state()
    load_network(saved)
    torch.testing.assert_close(torch.get_rng_state(), state)


def test_saving_twice_gives_the_same_file(saved: Path, tmp_path: Path) -> None:
    save_network(SMALL[2](), tmp_path / "again", TRAINING)
    assert load_file(tmp_path / "again").keys() == load_file(saved).keys()
    with safe_open(saved, framework="pt") as first, safe_open(tmp_path / "again", framework="pt") as second:
        assert first.metadata() == second.metadata()
        assert json.loads(first.metadata()["settings"])["kind"] == "unrolled"


def test_foreign_weights_become_our_own(tmp_path: Path) -> None:
    torch.save({"model": layout.with_steps(layout.draw(layout.meddlr_unrolled(2, 2, 4)))}, tmp_path / "meddlr.pth")
    network = load_network(tmp_path / "meddlr.pth")
    assert read_training(tmp_path / "meddlr.pth") == {}
    save_network(network, tmp_path / "ours", {"source": "meddlr"})
    again = load_network(tmp_path / "ours")
    assert again.settings == network.settings
    torch.testing.assert_close(again.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_every_bit_of_the_tensors_counts(saved: Path) -> None:
    content = saved.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for position in range(start, len(content), (len(content) - start) // 20):
        damaged = bytearray(content)
        damaged[position] ^= 1
        saved.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^cannot load weights from '.*': their checksum differs"):
            load_network(saved)
    saved.write_bytes(content)
    load_network(saved)


def test_changed_settings_are_detected(saved: Path) -> None:
    content = saved.read_bytes()
    assert content.count(b"percentile") == 1
    saved.write_bytes(content.replace(b"percentile", b"none      ").replace(b'none      \\"', b'none\\"      '))
    with pytest.raises(ValueError, match="checksum differs"):
        load_network(saved)


def test_checksum_covers_names_types_and_shapes() -> None:
    x = torch.arange(6, dtype=torch.int32)
    variants = [{"x": x}, {"y": x}, {"x": x.reshape(2, 3)}, {"x": x.view(torch.float32)}, {"x": x, "y": x[:0]}, {}]
    assert len({checksum("s", tensors) for tensors in variants} | {checksum("t", {"x": x})}) == len(variants) + 1
    assert checksum("s", {"a": x, "b": x + 1}) == checksum("s", {"b": x + 1, "a": x})


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format_version": "2"}, r"their format has version 2, and this program reads version 1; upgrade it"),
        ({"format_version": None}, r"their format has version None"),
        ({"sha256": None}, r"their checksum differs"),
        ({"settings": "not json"}, r"the metadata 'settings' is missing or not JSON"),
        ({"settings": '{"kind": "unroled"}'}, r"did you mean 'unrolled'\?"),
        ({"settings": '{"kind": "unrolled", "n_layers": 3}'}, r"unknown setting 'network.n_layers'"),
        ({"settings": '{"kind": "varnet"}'}, r"the tensors '.*' and \d+ more are missing"),
    ],
)
def test_wrong_metadata_are_named(saved: Path, metadata: dict[str, str | None], message: str) -> None:
    changed(saved, **metadata)
    with pytest.raises(ValueError, match=message) as error:
        load_network(saved)
    assert str(error.value).startswith(f"cannot load weights from '{saved}': ")
    assert "\n" not in str(error.value)


def test_tensors_that_do_not_fit_the_settings_are_named(saved: Path) -> None:
    tensors = load_file(saved)
    name = "regularisers.0.last.bias"
    for wrong, message in (
        ({n: t for n, t in tensors.items() if n != name}, rf"the tensor '{name}' is missing"),
        (tensors | {"more": torch.ones(1)}, r"the tensor 'more' is not of this network"),
        (tensors | {name: torch.ones(3)}, rf"the tensor '{name}' should have the shape \(2,\), got \(3,\)"),
    ):
        changed(saved, tensors=wrong)
        with pytest.raises(ValueError, match=message):
            load_network(saved)


@pytest.mark.parametrize("training", [{"path": Path("/")}, {"loss": float("nan")}, {"epochs": {1, 2}}])
def test_provenance_that_is_not_json_is_refused(tmp_path: Path, training: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="the provenance of the training should be plain JSON"):
        save_network(SMALL[0](), tmp_path / "w", training)
    assert list(tmp_path.iterdir()) == []


def test_a_choice_in_an_experiment(saved: Path) -> None:
    choice = Checkpoint.parse({"kind": "checkpoint", "path": str(saved)})
    assert Checkpoint.parse(json.loads(choice.model_dump_json())) == choice
    assert isinstance(choice(), nn.Module)
    with pytest.raises(ValueError, match=r"^cannot load weights from '/absent/w': No such file or directory; check"):
        Checkpoint(path=Path("/absent/w"))()
    with pytest.raises(ValueError, match=r"^cannot read the training of '/absent/w': No such file"):
        read_training(Path("/absent/w"))
