"""Python code as a reconstruction: taken from the command line, and from files after ``--trust-code`` alone."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mri_noise.cli.app import app
from tests.scan_files import kspace, write

MODULE = """
from pathlib import Path
import torch
from torch import nn

Path(__file__).with_name("imported").touch()

class Gain(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.5))

    def forward(self, kspace, encoding):
        return self.gain * encoding.adjoint(kspace)
"""
QUICK = ("--set", "variance.kind=sketch", "--set", "variance.n_probes=2", "--set", "coils.kind=low-resolution")
PYTHON = ("--set", "reconstruction.kind=python", "--set", "reconstruction.target=own_nets:Gain")
REFUSAL = "names Python code to run, 'own_nets:Gain'; it runs after a yes: --trust-code"
MAIN = "import sys; sys.path.insert(0, ''); from mri_noise.cli.app import main; main()"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scan, and a module that leaves a mark where it is imported."""
    write(tmp_path / "scan.h5", kspace())
    (tmp_path / "own_nets.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def mri_noise(*words: str) -> Result:
    """A command that finds the module not imported yet, as one in a process of its own does."""
    sys.modules.pop("own_nets", None)
    return CliRunner().invoke(app, words)


def said(result: Result) -> str:
    """In one line."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", result.stderr).split())


def imported(folder: Path) -> bool:
    """Whether the module was imported since this was last asked."""
    mark = folder / "imported"
    found = mark.exists()
    mark.unlink(missing_ok=True)
    return found


def test_python_code_runs_from_a_command_and_from_files_after_a_yes(folder: Path) -> None:
    command = [sys.executable, "-c", MAIN, "run", "scan.h5", *QUICK, *PYTHON, "-o", "out.h5"]
    first = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert imported(folder)
    printed = mri_noise("run", "--print-experiment", *QUICK, *PYTHON)
    assert printed.exit_code == 0
    (folder / "experiment.yaml").write_text(printed.stdout, encoding="utf-8")
    for source in ("out.h5", "experiment.yaml"):
        refused = mri_noise("run", "scan.h5", "-e", source, "-o", "again.h5")
        assert refused.exit_code == 1
        assert REFUSAL in said(refused)
        assert not imported(folder)
        assert not (folder / "again.h5").exists()
    agreed = mri_noise("run", "scan.h5", "-e", "out.h5", "--trust-code", "-o", "again.h5")
    assert agreed.exit_code == 0, agreed.stderr
    assert imported(folder)


@pytest.mark.skipif(find_spec("lightning") is None, reason="training needs the extra train")
def test_a_recipe_and_its_weights_ask_before_their_code_runs(folder: Path) -> None:
    write(folder / "other.h5", kspace())
    (folder / "recipe.yaml").write_text(
        "name: own\nnetwork: {kind: python, target: 'own_nets:Gain', trust_code: true}\n"
        "data: {source: {kind: scans, paths: [scan.h5, other.h5], noise: {kind: edge}, coils: {kind: low-resolution}}, "
        "n_validation: 1, n_validation_subjects: 1, draws: {max_size: 16}}\n"
        "trainer: {n_steps: 1, checkpoint_interval: 1, validation_interval: 1, log_interval: 1}\n",
        encoding="utf-8",
    )
    refused = mri_noise("train", "recipe.yaml", "-o", "trained")
    assert (refused.exit_code, imported(folder)) == (1, False)
    assert REFUSAL in said(refused)
    agreed = mri_noise("train", "recipe.yaml", "-o", "trained", "--trust-code")
    assert agreed.exit_code == 0, agreed.stderr
    assert imported(folder)
    weights = ("--set", "reconstruction.kind=checkpoint", "--set", "reconstruction.path=trained/own.safetensors")
    refused = mri_noise("run", "scan.h5", *QUICK, *weights, "-o", "out.h5")
    assert (refused.exit_code, imported(folder)) == (1, False)
    assert REFUSAL in said(refused)
    agreed = mri_noise("run", "scan.h5", *QUICK, *weights, "-o", "out.h5", "--trust-code")
    assert agreed.exit_code == 0, agreed.stderr
