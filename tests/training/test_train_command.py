"""``mri-noise train`` as a user meets it, alone and with two processes."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from mri_noise.cli import app as cli
from mri_noise.training.loop.checkpoints import by_age, read_checkpoint
from mri_noise.training.loop.fit import train
from tests.training.trainings import tiny_recipe

COMMAND = Path(sys.executable).with_name("mri-noise")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a recipe, its scans beside it."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "recipe.yaml").write_text(tiny_recipe(folder, "trainer.n_steps=2").to_yaml())
    return folder / "recipe.yaml"


def _train(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.app, ["train", *map(str, arguments)])


def _text(result: Result) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", result.stderr)


def test_train_prints_what_came_out_and_where_it_is(recipe: Path, tmp_path: Path) -> None:
    result = _train(recipe, "--output", tmp_path / "out", "--set", "trainer.n_steps=3", "--strict")
    assert result.exit_code == 0, _text(result)
    assert "ssim" in result.stdout
    assert f"written: {tmp_path / 'out' / 'tiny.safetensors'}" in _text(result).replace("\n", "")
    again = _train(recipe, "--output", tmp_path / "out")
    assert again.exit_code == 1
    assert "continue it with --resume, or give another --output" in _text(again)
    assert again.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "trainer.n_step=3"], "unknown setting 'trainer.n_step'; did you mean 'n_steps'?"),
        (["--set", "data.source.paths=[nowhere]"], "nowhere"),
        (["--resume"], "there is no training in"),
    ],
)
def test_a_mistake_gets_one_sentence_and_leaves_nothing(
    recipe: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    result = _train(recipe, "--output", tmp_path / "out", *arguments)
    assert result.exit_code == 1
    assert _text(result).startswith("mri-noise: ")
    assert sentence in _text(result)
    assert _text(result).count("\n") == 1
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_nothing_that_a_training_reads_is_overwritten(recipe: Path, tmp_path: Path) -> None:
    own = tmp_path / "recipe.yaml"
    own.write_text(recipe.read_text())
    result = _train(own, "--output", tmp_path)
    assert result.exit_code == 1
    assert "recipe.yaml' is the recipe itself and would be overwritten; give another --output" in _text(result)
    scan = recipe.parent / "scans" / "a.h5"
    (tmp_path / "out" / "logs").mkdir(parents=True)
    (tmp_path / "out" / "logs" / "a.h5").symlink_to(scan)
    before = scan.read_bytes()
    result = _train(recipe, "--output", tmp_path / "out")
    assert "a.h5' is a file that the recipe names and would be overwritten" in _text(result)
    assert scan.read_bytes() == before


def test_a_missing_extra_is_named(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    result = _train(recipe, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert 'install it with: pip install "napari-mri-noise[train]"' in _text(result)


def test_ctrl_c_saves_the_state_and_says_how_to_go_on(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [COMMAND, "train", recipe, "-o", out, "-s", "trainer.n_steps=100000", "-s", "trainer.log_interval=1"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(out.glob("logs/*/metrics.csv")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate()
    assert process.returncode == 130, said
    assert printed == ""
    stopped = re.search(r"its state after step (\d+) was saved; continue it with: mri-noise train .* --resume\n$", said)
    assert stopped is not None, said
    assert by_age(out / "checkpoints")[0].name == f"step_{int(stopped[1]):08d}.ckpt"


def test_two_processes_give_the_gradient_of_one(recipe: Path, tmp_path: Path) -> None:
    linear = ["trainer.clip_norm=null", "trainer.n_steps=1", "optimiser.betas=[0, 0.9]", "trainer.batch_size=4"]
    options = [part for assignment in (*linear, "machine.devices=2") for part in ("-s", assignment)]
    subprocess.run([COMMAND, "train", recipe, "-o", tmp_path / "two", *options], check=True, capture_output=True)
    train(tiny_recipe(recipe.parent, *linear), tmp_path / "one")
    train(tiny_recipe(recipe.parent, *linear[:-1], "trainer.batch_size=2"), tmp_path / "half")
    two, one, half = (_gradient(tmp_path / name) for name in ("two", "one", "half"))
    rounding = 10 * torch.finfo(torch.float32).eps * one.norm()
    assert (two - one).norm() < rounding < (half - one).norm()


def _gradient(folder: Path) -> torch.Tensor:
    """The gradient of the first step, which Adam keeps where its first decay is zero."""
    state = read_checkpoint(by_age(folder / "checkpoints")[0])
    assert state is not None
    states = state["optimizer_states"][0]["state"]
    return torch.cat([states[number]["exp_avg"].flatten() for number in sorted(states)])
