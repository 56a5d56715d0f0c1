"""A training, whole, interrupted and continued."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mri_noise.recon.weights.checkpoint import load_network, read_training
from mri_noise.signals import ASKING
from mri_noise.training.loop import fit
from mri_noise.training.loop.checkpoints import AtomicFiles, by_age, read_checkpoint
from mri_noise.training.loop.fit import train
from mri_noise.training.loop.module import Training
from mri_noise.training.recipe import Recipe
from tests.training.trainings import equal, outcome, tiny_recipe

PATIENCE = ("trainer.patience=1", "trainer.monitor=psnr", "optimiser.learning_rate=1e-9")
"""Nothing gets better, so a training ends at its second validation."""


class Killed(BaseException):
    """What ends a training without its notice."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    train(tiny_recipe(folder), folder / "out")
    return folder


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """The same scans, and no training."""
    for name in ("scans", "cache"):
        shutil.copytree(whole / name, tmp_path / name)
    return tmp_path


def at_call(n: int, of: Callable[..., object], do: Callable[[], None], *, after: bool) -> Callable[..., object]:
    """A method that also does something, before or after its n-th call."""
    calls = iter(range(1, 10_000))

    def method(*arguments: object, **named: object) -> object:
        number = next(calls)
        if number == n and not after:
            do()
        result = of(*arguments, **named)
        if number == n and after:
            do()
        return result

    return method


def killed() -> None:
    raise Killed


def test_a_training_leaves_its_recipe_log_checkpoints_and_weights(whole: Path) -> None:
    out = whole / "out"
    assert Recipe.parse(yaml.safe_load((out / "recipe.yaml").read_text())) == tiny_recipe(whole)
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == [
        "best.ckpt", "step_00000009.ckpt", "step_00000010.ckpt",
    ]  # fmt: skip
    told = read_training(out / "tiny.safetensors")
    assert told["recipe"] == tiny_recipe(whole).model_dump(mode="json")
    assert (told["n_steps"], told["n_examples"], told["seed"]) == (10, 20, 0)
    assert set(told["versions"]) >= {"python", "torch", "lightning", "napari-mri-noise"}
    best = torch.load(out / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["global_step"] == told["best_step"]
    assert best["callbacks"]["Checkpoints"]["best"] == told["validation"]
    network = load_network(out / "tiny.safetensors")
    assert equal(dict(network.state_dict()), {k.removeprefix("network."): v for k, v in best["state_dict"].items()})


def test_the_log_holds_losses_speed_and_validation(whole: Path) -> None:
    log = pd.read_csv(whole / "out" / "logs" / "from_step_0" / "metrics.csv")
    entries, validations = log[log["loss"].notna()], log[log["validation/ssim"].notna()]
    assert entries["step"].tolist() == [5, 10]
    assert validations["step"].tolist() == [4, 8, 10]
    assert (entries["examples_per_second"] > 0).all()
    assert entries["share_waiting_for_data"].between(0, 1).all()
    assert entries["learning_rate"].is_monotonic_decreasing
    assert entries["loss/supervised"].tolist() == pytest.approx(entries["loss"].tolist())
    told = read_training(whole / "out" / "tiny.safetensors")
    history = pd.DataFrame(told["history"])
    assert history["step"].tolist() == [4, 8, 10]
    assert history["loss"].tolist()[1:] == pytest.approx(entries["loss"].tolist())
    assert history["psnr"].tolist() == pytest.approx(validations["validation/psnr"].tolist())
    assert validations["validation/ssim"].max() == pytest.approx(told["validation"]["ssim"])
    events = EventAccumulator(str(whole / "out" / "logs" / "from_step_0"))
    events.Reload()
    assert set(events.Tags()["scalars"]) >= {"loss", "learning_rate", "validation/psnr"}
    (tag,) = events.Tags()["images"]
    assert [image.step for image in events.Images(tag)] == [4, 8, 10]


def test_a_checkpoint_holds_nothing_but_tensors_and_plain_values(whole: Path) -> None:
    for path in (whole / "out" / "checkpoints").iterdir():
        torch.load(path, weights_only=True)


@pytest.mark.parametrize(
    ("cls", "name", "n", "after"),
    [
        (Training, "training_step", 3, False),
        (Training, "optimizer_step", 8, True),
        (AtomicFiles, "save_checkpoint", 2, False),
        (AtomicFiles, "save_checkpoint", 2, True),
        (Training, "validation_step", 3, True),
        (AtomicFiles, "save_checkpoint", 7, True),
    ],
)
def test_a_killed_training_goes_on_bit_for_bit(  # noqa: PLR0917
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cls: type, name: str, n: int, after: bool
) -> None:
    recipe = tiny_recipe(whole)
    with monkeypatch.context() as patch:
        patch.setattr(cls, name, at_call(n, getattr(cls, name), killed, after=after))
        with pytest.raises(Killed):
            train(recipe, tmp_path / "out")
    assert not (tmp_path / "out" / "tiny.safetensors").exists()
    train(recipe, tmp_path / "out", resume=True)
    assert equal(outcome(tmp_path / "out"), outcome(whole / "out"))


def test_a_process_killed_at_a_random_moment_goes_on_bit_for_bit(whole: Path, tmp_path: Path) -> None:
    script = (
        "import signal, sys, torch\n"
        "from pathlib import Path\n"
        "from mri_noise.training.loop.fit import train\n"
        "from mri_noise.training.recipe import read_recipe\n"
        "torch.set_num_threads(1)\n"
        "signal.setitimer(signal.ITIMER_REAL, float(sys.argv[3]))\n"  # whose signal kills, at any time
        "train(read_recipe(Path(sys.argv[1]), []), Path(sys.argv[2]))\n"
        "signal.pause()\n"
    )
    given, out, delay = whole / "out" / "recipe.yaml", tmp_path / "out", random.uniform(0.1, 1)
    run = subprocess.run(
        [sys.executable, "-c", script, given, out, str(delay)], capture_output=True, text=True, check=False
    )
    assert run.returncode == -signal.SIGALRM, run.stderr
    train(tiny_recipe(whole), out, resume=(out / "recipe.yaml").exists())
    assert equal(outcome(out), outcome(whole / "out")), f"killed after {delay} s"


@pytest.mark.parametrize("number", ASKING)
def test_an_interrupted_training_saves_its_state_first(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    handler = signal.getsignal(number)
    recipe = tiny_recipe(whole)
    with monkeypatch.context() as patch:
        interrupt = at_call(9, Training.training_step, lambda: os.kill(os.getpid(), number), after=False)
        patch.setattr(Training, "training_step", interrupt)
        with pytest.raises(KeyboardInterrupt, match=r"its state after step 5 was saved; continue it with: .* --resume"):
            train(recipe, tmp_path / "out")
    assert signal.getsignal(number) == handler
    assert by_age(tmp_path / "out" / "checkpoints")[0].name == "step_00000005.ckpt"
    train(recipe, tmp_path / "out", resume=True)
    assert equal(outcome(tmp_path / "out"), outcome(whole / "out"))


def test_a_training_without_progress_ends_early_and_stays_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny_recipe(place, *PATIENCE)
    monkeypatch.setattr(fit, "save_network", lambda *_: killed())
    with pytest.raises(Killed):
        train(recipe, place / "out")
    monkeypatch.undo()
    assert train(recipe, place / "out", resume=True).n_steps == 8
    assert by_age(place / "out" / "checkpoints")[0].name == "step_00000008.ckpt"


def test_a_finished_training_is_neither_repeated_nor_overwritten(whole: Path) -> None:
    before = outcome(whole / "out")
    with pytest.raises(
        ValueError, match=r"there is a training in .* already; continue it with --resume, or .* --output"
    ):
        train(tiny_recipe(whole), whole / "out")
    assert train(tiny_recipe(whole), whole / "out", resume=True).n_steps == 10
    assert equal(outcome(whole / "out"), before)


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: b"", lambda content: b"PK\x03\x04"])
def test_a_damaged_checkpoint_is_passed_over(whole: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    shutil.copytree(whole / "out", tmp_path / "out")
    last, before = by_age(tmp_path / "out" / "checkpoints")
    last.write_bytes(damage(last.read_bytes()))
    train(tiny_recipe(whole), tmp_path / "out", resume=True)
    assert equal(outcome(tmp_path / "out"), outcome(whole / "out"))
    for path in (last, before):
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        ValueError, match=r"none of the 2 checkpoints in .* can be read; start again with another --output"
    ):
        train(tiny_recipe(whole), tmp_path / "out", resume=True)


@pytest.mark.parametrize(
    ("assignment", "difference"),
    [
        ("network.kind=modl", "in which network.kind is unet and not modl"),
        ("network.n_channels=3", "in which network.n_channels is 2 and not 3"),
        ("optimiser.learning_rate=0.5", "in which optimiser.learning_rate is 0.001 and not 0.5"),
        ("seed=1", "in which seed is 0 and not 1"),
    ],
)
def test_a_training_goes_on_with_its_own_recipe_only(whole: Path, assignment: str, difference: str) -> None:
    with pytest.raises(ValueError, match=f"has another recipe, {difference}; continue it with .*recipe.yaml"):
        train(tiny_recipe(whole, assignment), whole / "out", resume=True)


def test_there_has_to_be_a_training_to_resume(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no training in .* to continue; leave out --resume"):
        train(tiny_recipe(whole), tmp_path / "none", resume=True)


def test_a_full_disk_keeps_the_former_checkpoint(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    recipe, out = tiny_recipe(whole), tmp_path / "out"
    with monkeypatch.context() as patch:
        fill = partial(patch.setattr, os, "fsync", full)
        patch.setattr(AtomicFiles, "save_checkpoint", at_call(2, AtomicFiles.save_checkpoint, fill, after=False))
        with pytest.raises(ValueError, match=r"cannot write '.*ckpt' \(No space left on device\); free the space"):
            train(recipe, out)
    (kept,) = (out / "checkpoints").iterdir()
    assert read_checkpoint(kept) is not None
    train(recipe, out, resume=True)
    assert equal(outcome(out), outcome(whole / "out"))


def test_a_loss_that_is_not_finite_ends_the_training(place: Path) -> None:
    recipe = tiny_recipe(place, "optimiser.learning_rate=1e30", "trainer.checkpoint_interval=1")
    with pytest.raises(ValueError, match="the gradient is not finite in step 2; its checkpoints were kept"):
        train(recipe, place / "out")
    assert [path.name for path in by_age(place / "out" / "checkpoints")] == ["step_00000001.ckpt"]


def test_an_infinite_loss_of_finite_gradient_costs_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image too bright to square: its entry in the history is null, as JSON knows no infinity."""
    take = Training.take_losses
    monkeypatch.setattr(Training, "take_losses", lambda module: {name: float("inf") for name in take(module)})
    trained = train(tiny_recipe(place), place / "out")
    assert {entry["loss"] for entry in read_training(trained.weights)["history"][1:]} == {None}


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["data.n_labelled=0"], "this objective needs labelled examples, and there are none"),
        (["data.n_labelled=0", "objective.kind=vortex"], "'vortex' needs some labelled examples, and there are none"),
        (["trainer.batch_size=3", "machine.devices=2"], "should be a multiple of the 2 examples that are"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_starts(place: Path, assignments: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        train(tiny_recipe(place, *assignments), place / "out")
    assert not (place / "out" / "checkpoints").exists() or not list((place / "out" / "checkpoints").iterdir())


@pytest.mark.parametrize("precision", ["bf16-mixed"])
@pytest.mark.parametrize("kind", ["unet", "modl"])
def test_mixed_precision_trains(place: Path, precision: str, kind: str) -> None:
    small = (
        ["network.n_channels=2", "network.n_pools=1"]
        if kind == "unet"
        else ["network.n_features=2", "network.n_steps=1"]
    )
    recipe = tiny_recipe(place, f"network.kind={kind}", *small, f"trainer.precision={precision}", "trainer.n_steps=2")
    trained = train(recipe, place / "out")
    assert all(tensor.dtype == torch.float32 for tensor in load_network(trained.weights).state_dict().values())


def test_training_is_silent(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(tiny_recipe(place, "trainer.n_steps=1"), place / "out")
    assert capfd.readouterr() == ("", "")


def test_examples_computed_together_train_as_one_after_the_other(whole: Path, place: Path) -> None:
    train(tiny_recipe(place, "trainer.n_together=2"), place / "out")
    together, alone = outcome(place / "out"), outcome(whole / "out")
    assert together["global_step"] == alone["global_step"]
    torch.testing.assert_close(together["weights"], alone["weights"], rtol=1e-3, atol=1e-5)  # Adam enlarges rounding


def test_a_step_is_made_of_whole_parts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"multiple of the 3 examples .* trainer\.n_together says\), got 2"):
        train(tiny_recipe(tmp_path, "trainer.n_together=3"), tmp_path / "out")
