import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mri_noise.acquisition.noise_sources import NoiseFromFile
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.io.inputs import refuse_overwriting
from mri_noise.io.nifti import save_nifti, volume_paths
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.training.data.scans import Scans
from mri_noise.training.data.simulated import Anatomy, Simulated
from mri_noise.training.data.sources import Data
from tests.io.bart_files import write_bart
from tests.io.random_results import random_result
from tests.scan_files import kspace, write


def _itself(path: Path, name: Path) -> None:
    del path, name


def _symbolic(path: Path, name: Path) -> None:
    name.symlink_to(path)


def _hard(path: Path, name: Path) -> None:
    os.link(path, name)


def _folder(path: Path, name: Path) -> None:
    name.parent.symlink_to(path.parent)


@pytest.mark.parametrize(
    ("link", "name"),
    [(_itself, "scan.h5"), (_itself, "../folder/scan.h5"), (_symbolic, "a"), (_hard, "a"), (_folder, "linked/scan.h5")],
)
def test_a_file_is_known_by_every_name(tmp_path: Path, link: Callable[[Path, Path], None], name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "scan.h5"
    path.touch()
    link(path, folder / name)
    with pytest.raises(ValueError, match=r"^'.*' is the scan itself and would be overwritten; give another --output$"):
        refuse_overwriting([folder / "free", folder / name], {"the scan itself": [path]})
    refuse_overwriting([folder / "free", folder], {"the scan itself": [path, folder / "absent"]})


def test_an_experiment_tells_the_files_that_it_names() -> None:
    choices = Experiment(noise=NoiseFromFile(path=Path("noise.npy")), reconstruction=Checkpoint(path=Path("w.pt")))
    assert set(choices.files()) == {Path("noise.npy"), Path("w.pt")}
    assert not list(Experiment().files())
    (weights,) = Experiment(reconstruction=Shipped(name="unet")).files()
    assert weights.name == "unet.safetensors"


def test_the_data_of_a_training_tell_their_files(tmp_path: Path) -> None:
    scan, volume = write(tmp_path / "inner.h5", kspace()), tmp_path / "head.nii.gz"
    volume.touch()
    write_bart(tmp_path / "pair", np.ones((4, 4, 1, 2)))
    noise = NoiseFromFile(path=tmp_path / "noise.npy")
    files = set(Data(source=Scans(paths=(tmp_path,), noise=noise)).files())
    assert {scan, tmp_path / "pair.cfl", tmp_path / "pair.hdr", noise.path} <= files
    assert list(Simulated(volumes=(Anatomy(volume=str(volume)),)).files()) == [volume]


@pytest.mark.parametrize("name", ["pair", "pair.cfl", "pair.hdr"])
def test_a_scan_tells_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_bart(tmp_path / "pair", np.ones((8, 8, 1, 2)))
    assert set(open_scan(name).files) == {tmp_path / "pair.cfl", tmp_path / "pair.hdr"}
    write(tmp_path / "scan.h5", kspace())
    assert open_scan("scan.h5").files == (tmp_path / "scan.h5",)


def test_the_names_of_all_volumes_are_known_before(tmp_path: Path) -> None:
    assert save_nifti([random_result()], tmp_path / "out.nii.gz") == volume_paths(tmp_path / "out.nii.gz")
