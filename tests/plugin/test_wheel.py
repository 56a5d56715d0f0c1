"""What a user installs: the wheel, built from the source distribution."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="the wheel is built with hatchling")

ROOT = Path(__file__).parents[2]
NAME = "napari-mri-noise"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the wheel, as an installer lays them out."""
    folder = tmp_path_factory.mktemp("wheel")
    build("sdist", ROOT, folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    build("wheel", source, folder)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def build(target: str, source: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, capture_output=True, check=True)


def run(installed: Path, *arguments: str) -> str:
    """Run Python on the installed files; they come before those of the clone."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_manifest_is_valid(installed: Path) -> None:
    assert "valid" in run(installed, "-m", "npe2", "validate", NAME, "--imports")


def test_it_holds_the_samples_and_the_networks(installed: Path) -> None:
    script = (
        "import mri_noise; from mri_noise import open_scan; from mri_noise.plugin.samples import *;"
        "from mri_noise.recon.weights.shipped import SHIPPED_NAMES, Shipped;"
        "[Shipped(name=name)() for name in SHIPPED_NAMES];"
        "print([len(open_scan(sample_path(name))) for name in (FASTMRI, ISMRMRD)]); print(mri_noise.__file__)"
    )
    slices, place = run(installed, "-c", script).splitlines()
    assert slices == "[4, 2]"
    assert Path(place).is_relative_to(installed)
