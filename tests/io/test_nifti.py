import gzip
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from mri_noise.atomic import Draft
from mri_noise.io.nifti import load_nifti, save_nifti
from mri_noise.result import Result
from mri_noise.variance.maps import acceleration, g_factor
from tests.io.random_results import assert_same, random_result, result_arguments

MAPS = ("image", "std", "std_real", "std_imaginary", "standard_error", "snr", "gfactor", "object")


def expected(result: Result) -> dict[str, Tensor]:
    estimate = result.estimate
    assert estimate is not None
    std = torch.sqrt(estimate.variance_magnitude)
    return {
        "image": result.image,
        "std": std,
        **{
            f"std_{channel}": torch.sqrt(estimate.channels[channel][0])
            for channel in ("real", "imaginary")
            if channel in estimate.channels
        },
        "standard_error": estimate.standard_error_magnitude / std / 2,
        "snr": result.image.abs() / std,
        "gfactor": g_factor(2 * estimate.variance_magnitude, result.full_variance, acceleration(result.mask)),
        "object": result.object,
    }


@settings(deadline=None, max_examples=15)
@given(arguments=result_arguments())
def test_every_map_comes_back_in_single_precision(arguments: list[dict[str, Any]], tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("nifti")
    results = [random_result(**of_slice) for of_slice in arguments]
    results = [replace(result, mask=torch.ones_like(result.mask)) for result in results]
    maps = [name for name in MAPS if name in expected(results[0])]
    paths = save_nifti(results, folder / "v1.5 brain")
    assert paths == [folder / f"v1.5 brain_{name}.nii.gz" for name in maps]
    assert sorted(folder.iterdir()) == sorted(paths)
    for name, path in zip(maps, paths, strict=True):
        volume = load_nifti(path)
        truth = torch.stack([expected(result)[name] for result in results])
        torch.testing.assert_close(volume.values.to(truth.dtype), truth, rtol=1e-6, atol=0)
        voxel_size = results[0].provenance.voxel_size
        assert volume.voxel_size == (None if voxel_size is None else tuple(float(np.float32(v)) for v in voxel_size))
        assert volume.summary.experiment == results[0].experiment
        for of_slice, provenance, result in zip(volume.summary.slices, volume.summary.provenance, results, strict=True):
            assert_same(provenance, result.provenance)
            assert_same((of_slice.index, of_slice.noise_source), (result.index, result.noise.source))
            assert_same(of_slice.rois, result.rois)


def test_axes_and_affine_are_those_that_a_viewer_expects(tmp_path: Path) -> None:
    results = [random_result(i, rows=4, columns=7, voxel_size=(3.0, 2.0, 0.5)) for i in range(3)]
    save_nifti(results, tmp_path / "out")
    image = nibabel.load(tmp_path / "out_image.nii.gz")
    assert image.shape == (7, 4, 3)
    assert image.get_data_dtype() == np.complex64
    assert np.asarray(image.dataobj)[5, 1, 2] == results[2].image[1, 5].item()
    assert image.header.get_xyzt_units()[0] == "mm"
    assert b"array orientation" in image.header["descrip"].item()
    for matrix, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert code == 2
        np.testing.assert_allclose(matrix @ [3, 1.5, 1, 1], [0, 0, 0, 1], atol=1e-6)
        np.testing.assert_allclose(matrix[:3, :3], np.diag([0.5, 2.0, 3.0]), atol=1e-6)


def test_types_on_disk(tmp_path: Path) -> None:
    types = {path.name: nibabel.load(path).get_data_dtype() for path in save_nifti([random_result()], tmp_path / "a")}
    assert types.pop("a_image.nii.gz") == np.complex64
    assert types.pop("a_object.nii.gz") == np.uint8
    assert set(types.values()) == {np.dtype("float32")}


@pytest.mark.parametrize("name", ["out", "out.nii", "out.nii.gz"])
def test_the_ending_of_a_volume_is_no_part_of_the_stem(tmp_path: Path, name: str) -> None:
    assert save_nifti([random_result()], tmp_path / name)[0] == tmp_path / "out_image.nii.gz"


def test_no_noise_is_no_standard_error(tmp_path: Path) -> None:
    result = random_result()
    assert result.estimate is not None
    zero = torch.zeros_like(result.estimate.variance_magnitude)
    estimate = result.estimate.with_channel("magnitude", zero, zero)
    save_nifti([replace(result, estimate=estimate)], tmp_path / "out")
    for name in ("std", "standard_error", "snr"):
        assert not load_nifti(tmp_path / f"out_{name}.nii.gz").values.any()


def test_where_the_variance_is_not_known_no_map_holds_a_number(tmp_path: Path) -> None:
    result = random_result(magnitude_only=True)
    assert result.estimate is not None
    channel = [values.where(result.object, torch.nan) for values in result.estimate.channels["magnitude"]]
    estimate = result.estimate.with_channel("magnitude", channel[0], channel[1])
    save_nifti([replace(result, estimate=estimate)], tmp_path / "out")
    for name in ("std", "standard_error", "snr", "gfactor"):
        (values,) = load_nifti(tmp_path / f"out_{name}.nii.gz").values
        assert torch.equal(values.isnan(), ~result.object), name


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_run_that_breaks_leaves_the_former_volumes(tmp_path: Path, error: type[BaseException]) -> None:
    def stream() -> Iterator[Result]:
        yield random_result(0)
        raise error

    paths = save_nifti([random_result(7)], tmp_path / "out")
    former = {path: path.read_bytes() for path in paths}
    with pytest.raises(error):
        save_nifti(stream(), tmp_path / "out")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == former


def test_a_signal_between_the_renames_waits_for_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = save_nifti([random_result(1)], tmp_path / "out")
    new = [path.read_bytes() for path in paths]
    save_nifti([random_result(0)], tmp_path / "out")
    assert all(path.read_bytes() != content for path, content in zip(paths, new, strict=True))
    take_place, taken = Draft.take_place, []

    def interrupted(draft: Draft) -> None:
        taken.append(draft.target)
        signal.raise_signal(signal.SIGINT)
        take_place(draft)

    monkeypatch.setattr(Draft, "take_place", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_nifti([random_result(1)], tmp_path / "out")
    assert taken == paths
    assert [path.read_bytes() for path in paths] == new
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_volume_that_does_not_reach_the_disk_leaves_all_former_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = {path: path.read_bytes() for path in save_nifti([random_result(0)], tmp_path / "out")}
    finish = Draft.finish

    def full(draft: Draft) -> None:
        if draft.target.name == "out_object.nii.gz":
            raise ValueError("the disk is full")
        finish(draft)

    monkeypatch.setattr(Draft, "finish", full)
    with pytest.raises(ValueError, match="the disk is full"):
        save_nifti([random_result(1)], tmp_path / "out")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == former


def test_an_unwritable_path_is_refused_before_the_first_result_is_computed(tmp_path: Path) -> None:
    def never() -> Iterator[Result]:
        pytest.fail("computed")
        yield

    (tmp_path / "out_snr.nii.gz").mkdir()
    with pytest.raises(ValueError, match=r"out_snr.nii.gz' because it is a folder"):
        save_nifti(never(), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out_snr.nii.gz"]


def test_truncated_and_foreign_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    content = save_nifti([random_result(0)], tmp_path / "out")[0].read_bytes()
    broken = tmp_path / "broken.nii.gz"
    plain = gzip.decompress(content)
    compressed = [content[:n] for n in range(0, len(content), 97)] + [b"no gzip", gzip.compress(b"no NIfTI")]
    for part in compressed + [gzip.compress(plain[:n]) for n in range(0, len(plain), 97)]:
        broken.write_bytes(part)
        with pytest.raises(ValueError, match=r"^[^\n]*broken.nii.gz[^\n]*$"):
            load_nifti(broken)
    with pytest.raises(ValueError, match=r"^[^\n]*absent.nii.gz[^\n]*$"):
        load_nifti(tmp_path / "absent.nii.gz")


def test_a_volume_without_our_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.nii.gz"
    for comment in (None, b"hello", b"[1, 2]"):
        image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.float32), np.eye(4))
        if comment is not None:
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", comment))
        nibabel.save(image, path)
        with pytest.raises(ValueError, match=r"foreign.nii.gz' is not a map of mri-noise"):
            load_nifti(path)


def test_a_header_that_disagrees_with_its_volume_is_refused(tmp_path: Path) -> None:
    path = save_nifti([random_result(0), random_result(1)], tmp_path / "out")[0]
    image = nibabel.load(path)
    nibabel.save(image.slicer[:, :, :1], tmp_path / "cut.nii.gz")
    with pytest.raises(ValueError, match=r"shape \(8, 5, 1\) and names 2 slices"):
        load_nifti(tmp_path / "cut.nii.gz")
