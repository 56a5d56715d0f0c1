"""Python code as a reconstruction: taken from the command line, and from files after ``--trust-code`` alone."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

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
def folder(tmp_path: Path) -> Path:
    """A folder with a scan, and a module that leaves a mark where it is imported."""
    write(tmp_path / "scan.h5", kspace())
    (tmp_path / "own_nets.py").write_text(MODULE, encoding="utf-8")
    return tmp_path


def mri_noise(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", MAIN, *words], cwd=folder, capture_output=True, text=True, check=False)


def imported(folder: Path) -> bool:
    """Whether the module was imported since this was last asked."""
    mark = folder / "imported"
    found = mark.exists()
    mark.unlink(missing_ok=True)
    return found


def test_python_code_runs_from_a_command_and_from_files_after_a_yes(folder: Path) -> None:
    first = mri_noise(folder, "run", "scan.h5", *QUICK, *PYTHON, "-o", "out.h5")
    assert first.returncode == 0, first.stderr
    assert imported(folder)
    printed = mri_noise(folder, "run", "--print-experiment", *QUICK, *PYTHON)
    assert printed.returncode == 0
    (folder / "experiment.yaml").write_text(printed.stdout, encoding="utf-8")
    for source in ("out.h5", "experiment.yaml"):
        refused = mri_noise(folder, "run", "scan.h5", "-e", source, "-o", "again.h5")
        assert refused.returncode == 1
        assert REFUSAL in " ".join(refused.stderr.split())
        assert not imported(folder)
        assert not (folder / "again.h5").exists()
    agreed = mri_noise(folder, "run", "scan.h5", "-e", "out.h5", "--trust-code", "-o", "again.h5")
    assert agreed.returncode == 0, agreed.stderr
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
    refused = mri_noise(folder, "train", "recipe.yaml", "-o", "trained")
    assert (refused.returncode, imported(folder)) == (1, False)
    assert REFUSAL in " ".join(refused.stderr.split())
    agreed = mri_noise(folder, "train", "recipe.yaml", "-o", "trained", "--trust-code")
    assert agreed.returncode == 0, agreed.stderr
    assert imported(folder)
    weights = ("--set", "reconstruction.kind=checkpoint", "--set", "reconstruction.path=trained/own.safetensors")
    refused = mri_noise(folder, "run", "scan.h5", *QUICK, *weights, "-o", "out.h5")
    assert (refused.returncode, imported(folder)) == (1, False)
    assert REFUSAL in " ".join(refused.stderr.split())
    agreed = mri_noise(folder, "run", "scan.h5", *QUICK, *weights, "-o", "out.h5", "--trust-code")
    assert agreed.returncode == 0, agreed.stderr
