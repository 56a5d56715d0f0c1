import hashlib
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import h5py
import ismrmrd
import numpy as np
import pytest
import torch

from mri_noise.io.formats import open_scan

FOLDER = Path(__file__).parents[1] / "sample_data"
NAMES = ("brain_phantom.h5", "brain_phantom_ismrmrd.h5")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("make_samples", FOLDER / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def regenerated(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    script.write_samples(folder)
    return folder


def _assert_same(made: np.ndarray, stored: np.ndarray, step: float) -> None:
    """The same numbers; another processor's last bit may turn the rounding of a few."""
    assert made.dtype == stored.dtype
    np.testing.assert_allclose(made, stored, rtol=0, atol=1.5 * step)
    assert np.count_nonzero(made != stored) <= 1e-4 * stored.size


def test_fastmri_file_is_what_the_script_writes(script: ModuleType, regenerated: Path) -> None:
    with h5py.File(regenerated / NAMES[0]) as made, h5py.File(FOLDER / NAMES[0]) as stored:
        assert set(made) == set(stored) == {"kspace", "reconstruction_rss", "sensitivity_maps", "noise"}
        for name in stored:
            _assert_same(made[name][()], stored[name][()], script.MAP_STEP)
        assert set(made.attrs) == set(stored.attrs)
        for name, value in stored.attrs.items():
            assert made.attrs[name] == (value if isinstance(value, str) else pytest.approx(value))


def test_ismrmrd_file_is_what_the_script_writes(script: ModuleType, regenerated: Path) -> None:
    made, stored = (ismrmrd.Dataset(str(folder / NAMES[1]), mode="r") for folder in (regenerated, FOLDER))
    try:
        assert made.read_xml_header() == stored.read_xml_header()
        assert made.number_of_acquisitions() == stored.number_of_acquisitions() == 16 + 2 * 128
        for number in range(stored.number_of_acquisitions()):
            ours, theirs = made.read_acquisition(number), stored.read_acquisition(number)
            assert bytes(ours.getHead()) == bytes(theirs.getHead())
            _assert_same(ours.data, theirs.data, script.STEP)
    finally:
        made.close()
        stored.close()


def test_readme_lists_the_checksums() -> None:
    listed = dict(re.findall(r"\| `(\S+\.h5)` \|.*`([0-9a-f]{64})` \|", (FOLDER / "README.md").read_text("utf-8")))
    assert listed == {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in NAMES}


def test_samples_are_small() -> None:
    assert sum((FOLDER / name).stat().st_size for name in NAMES) < 8_000_000


def test_both_files_open_and_hold_the_same_scan(script: ModuleType) -> None:
    fastmri, raw = (open_scan(FOLDER / name) for name in NAMES)
    assert (len(fastmri), len(raw)) == (4, 2)
    assert fastmri.matrix == raw.matrix == script.PHANTOM.matrix
    assert fastmri.phase_encode_axes == raw.phase_encode_axes == (-1,)
    for scan in (fastmri, raw):
        assert scan.voxel_size == pytest.approx(script.PHANTOM.voxel_size)
    for index in range(len(raw)):
        one, other = fastmri[index], raw[index]
        torch.testing.assert_close(one.kspace, other.kspace, rtol=0, atol=1e-6 * float(one.kspace.abs().max()))
        assert one.mask.all()
        assert other.mask.all()
        assert one.noise is not None
        assert other.noise is not None
        torch.testing.assert_close(one.noise.covariance, other.noise.covariance, rtol=1e-5, atol=0)


def test_digitisation_leaves_the_noise_as_it_is(script: ModuleType) -> None:
    noise = open_scan(FOLDER / NAMES[0])[0].noise
    assert noise is not None
    true = script.PHANTOM.noise_covariance()
    samples = script.PHANTOM.prescan()
    before = samples @ samples.mH / samples.shape[1]
    assert float((noise.covariance - before).norm() / true.norm()) < 1e-3
