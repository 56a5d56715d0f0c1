from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mri_noise.io.formats import open_scan
from tests.io.ismrmrd_files import Header, random_complex

RNG = np.random.default_rng(5)
KSPACE = random_complex(RNG, 2, 3, 6, 5)


def _write(path: Path, attributes: dict[str, Any] | None = None, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in ({"kspace": KSPACE} | arrays).items():
            file[name] = array
        file.attrs.update(attributes or {})
    return path


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(shape=st.tuples(*[st.integers(1, 4)] * 2, *[st.integers(2, 7)] * 2), transposed=st.booleans())
def test_slices_are_what_was_written(tmp_path: Path, shape: tuple[int, int, int, int], transposed: bool) -> None:
    stored = random_complex(RNG, *shape)
    scan = open_scan(_write(tmp_path / "a.h5", {"phase_encode_axis": 2 if transposed else 3}, kspace=stored))
    expected = stored.swapaxes(2, 3) if transposed else stored
    assert (len(scan), scan.n_coils, scan.matrix) == (shape[0], shape[1], expected.shape[2:])
    assert (scan.phase_encode_axes, scan.name, scan.layout) == ((-1,), "a.h5", "fastMRI HDF5")
    for index in range(len(scan)):
        np.testing.assert_array_equal(scan[index].kspace, expected[index])
        assert scan[index].kspace.dtype == torch.complex64
        assert bool(scan[index].mask.all())
        assert scan.labels[index] == f"slice {index}"


def test_single_coil_files_have_one_coil(tmp_path: Path) -> None:
    scan = open_scan(_write(tmp_path / "a.h5", kspace=KSPACE[:, 0], noise=random_complex(RNG, 1, 9)))
    assert (scan.n_coils, scan.matrix) == (1, (6, 5))
    np.testing.assert_array_equal(scan[1].kspace, KSPACE[1, :1])
    assert scan[1].noise is not None


def test_a_1d_mask_is_one_of_the_phase_encodes(tmp_path: Path) -> None:
    sampled = np.array([0.0, 1, 1, 0, 1])
    scan = open_scan(_write(tmp_path / "a.h5", mask=sampled))
    assert scan.phase_encode_axes == (-1,)
    np.testing.assert_array_equal(scan[0].mask, np.broadcast_to(sampled != 0, (6, 5)))
    np.testing.assert_array_equal(scan[0].kspace, KSPACE[0] * sampled.astype(np.complex64))


def test_a_2d_mask_means_two_phase_encodes(tmp_path: Path) -> None:
    sampled = RNG.random((6, 5)) < 0.5
    for stored in (sampled, sampled.astype(np.uint8)):
        scan = open_scan(_write(tmp_path / "a.h5", mask=stored))
        assert scan.phase_encode_axes == (-2, -1)
        np.testing.assert_array_equal(scan[1].mask, sampled)
        np.testing.assert_array_equal(scan[1].kspace, KSPACE[1] * sampled)


def test_the_mask_turns_with_the_kspace(tmp_path: Path) -> None:
    lines, points = np.array([1, 0, 1, 1, 0, 1]), RNG.random((6, 5)) < 0.5
    along = open_scan(_write(tmp_path / "a.h5", {"phase_encode_axis": 2}, mask=lines))[0]
    np.testing.assert_array_equal(along.mask, np.broadcast_to(lines != 0, (5, 6)))
    both = open_scan(_write(tmp_path / "b.h5", {"phase_encode_axis": 2}, mask=points))[0]
    np.testing.assert_array_equal(both.mask, points.T)


def test_lines_of_zeros_were_not_measured_whatever_the_mask_says(tmp_path: Path) -> None:
    padded = KSPACE.copy()
    padded[..., [0, 4]] = 0
    expected = np.broadcast_to([False, True, True, True, False], (6, 5))
    np.testing.assert_array_equal(open_scan(_write(tmp_path / "a.h5", kspace=padded))[0].mask, expected)
    masked = open_scan(_write(tmp_path / "b.h5", kspace=padded, mask=np.ones(5)))[0]
    np.testing.assert_array_equal(masked.mask, expected)


@pytest.mark.parametrize("name", ["reconstruction_rss", "reconstruction_esc"])
def test_a_reference_on_the_same_grid_is_read(tmp_path: Path, name: str) -> None:
    images = RNG.random((2, 6, 5))
    plain = open_scan(_write(tmp_path / "a.h5", **{name: images}))[1].reference
    np.testing.assert_array_equal(plain, images[1].astype(np.float32))
    turned = open_scan(_write(tmp_path / "b.h5", {"phase_encode_axis": 2}, **{name: images}))[1].reference
    np.testing.assert_array_equal(turned, images[1].T.astype(np.float32))


def test_a_cropped_reference_is_left_out(tmp_path: Path) -> None:
    assert open_scan(_write(tmp_path / "a.h5", reconstruction_rss=np.ones((2, 5, 5))))[0].reference is None


@pytest.mark.parametrize("name", ["sensitivity_maps", "coil_maps"])
def test_coil_maps_are_read_with_their_slice(tmp_path: Path, name: str) -> None:
    maps = random_complex(RNG, 2, 3, 6, 5)
    np.testing.assert_array_equal(open_scan(_write(tmp_path / "a.h5", **{name: maps}))[1].coil_maps, maps[1])
    turned = open_scan(_write(tmp_path / "b.h5", {"phase_encode_axis": 2}, **{name: maps}))[1].coil_maps
    np.testing.assert_array_equal(turned, maps[1].swapaxes(1, 2))


def test_noise_is_a_covariance_or_a_prescan(tmp_path: Path) -> None:
    samples = random_complex(RNG, 3, 40).astype(np.complex128)
    covariance = samples @ samples.conj().T / 40
    from_prescan = open_scan(_write(tmp_path / "a.h5", noise=samples))[0].noise
    given_covariance = open_scan(_write(tmp_path / "b.h5", noise_covariance=covariance))[1].noise
    assert from_prescan is not None and given_covariance is not None
    np.testing.assert_allclose(from_prescan.covariance, covariance, rtol=1e-12)
    np.testing.assert_array_equal(given_covariance.covariance, covariance)
    assert open_scan(_write(tmp_path / "c.h5"))[0].noise is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"fov_mm": 240.0}, None),
        ({"fov_mm": 240.0, "slice_mm": 4.0}, (4.0, 40.0, 48.0)),
        ({"fov_mm": [300.0, 200.0], "slice_mm": 4.0}, (4.0, 50.0, 40.0)),
        ({"fov_mm": [300.0, 200.0], "slice_mm": 4.0, "phase_encode_axis": 2}, (4.0, 40.0, 50.0)),
    ],
)
def test_voxel_size_from_attributes(tmp_path: Path, attributes: dict[str, Any], expected: Any) -> None:
    assert open_scan(_write(tmp_path / "a.h5", attributes)).voxel_size == expected


def test_voxel_size_from_the_ismrmrd_header(tmp_path: Path) -> None:
    """Readout oversampling is still in the k-space, so that its pixels are those of the encoded field of view."""
    header = Header(matrix=(6, 5, 1), fov=(300.0, 200.0, 4.0), recon_matrix=(3, 5, 1), recon_fov=(150.0, 200.0, 4.0))
    scan = open_scan(_write(tmp_path / "a.h5", ismrmrd_header=header.to_xml()))
    assert scan.voxel_size == (4.0, 50.0, 40.0)
    no_fov = Header(matrix=(6, 5, 1), fov=(0.0, 0.0, 0.0)).to_xml()
    assert open_scan(_write(tmp_path / "b.h5", ismrmrd_header=no_fov)).voxel_size is None
    assert open_scan(_write(tmp_path / "c.h5", ismrmrd_header="<broken")).voxel_size is None


def _with(array: np.ndarray, place: Any, value: complex) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"kspace": KSPACE[0, 0]}, r"'kspace' in '.*a.h5' should be \(slices, .* got shape \(6, 5\)"),
        ({"kspace": KSPACE[:, None]}, r"'kspace' .* got shape \(2, 1, 3, 6, 5\)"),
        ({"kspace": KSPACE[:0]}, r"'kspace' .* got shape \(0, 3, 6, 5\)"),
        ({"kspace": KSPACE.real}, "'kspace' in '.*a.h5' should be complex, but is float32"),
        ({"mask": np.ones(6)}, r"'mask' in '.*a.h5' should be .* \(5,\) or \(6, 5\) .* got float64 of shape \(6,\)"),
        ({"mask": np.ones((5, 6))}, r"'mask' in '.*a.h5' .* got float64 of shape \(5, 6\)"),
        ({"mask": np.full(5, np.nan)}, "'mask' in '.*a.h5' should be non-zero where sampled"),
        ({"mask": np.zeros(5)}, "'mask' in '.*a.h5' should be non-zero where sampled"),
        ({"mask": "a text"}, r"'mask' in '.*a.h5' .* got object of shape \(\)"),
        ({"mask/inner": np.ones(5)}, "'mask' in '.*a.h5' .* got a group"),
        ({"coil_maps": KSPACE[:1]}, r"'coil_maps' in '.*a.h5' .* got complex64 of shape \(1, 3, 6, 5\)"),
        (
            {"noise": random_complex(RNG, 2, 40)},
            r"'noise' in '.*a.h5' .* \(3, 40\) .* got complex64 of shape \(2, 40\)",
        ),
        ({"noise": np.ones(40)}, r"'noise' in '.*a.h5' .* got float64 of shape \(40,\)"),
        ({"noise": random_complex(RNG, 3, 11)}, "at least 12 noise samples, got 11 .noise of 'a.h5'"),
        ({"noise": np.full((3, 40), np.nan)}, "noise of 'a.h5'.* should be finite"),
        (
            {"noise_covariance": np.eye(2)},
            r"'noise_covariance' in '.*a.h5' .* \(3, 3\) .* got float64 of shape \(2, 2\)",
        ),
        ({"noise_covariance": np.diag([1.0, 1, -1])}, "noise_covariance of 'a.h5'.* should be positive definite"),
        ({"noise_covariance": np.eye(3) + np.eye(3, k=1)}, "noise_covariance of 'a.h5'.* should be Hermitian"),
    ],
)
def test_files_that_do_not_fit_together_are_one_sentence(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_scan(_write(tmp_path / "a.h5", **arrays))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"phase_encode_axis": 1}, "'phase_encode_axis' of '.*a.h5' should be 2"),
        (
            {"phase_encode_axis": "columns"},
            "'phase_encode_axis' of '.*a.h5' should be a number, but is none: .*columns",
        ),
        ({"fov_mm": [1.0, 2.0, 3.0], "slice_mm": 1.0}, "'fov_mm' of '.*a.h5' should be one or two lengths"),
        ({"fov_mm": -1.0, "slice_mm": 1.0}, r"'fov_mm' of '.*a.h5' should be positive, got \[-1.0\]"),
        ({"fov_mm": 1.0, "slice_mm": np.nan}, r"'slice_mm' of '.*a.h5' should be positive, got \[nan\]"),
    ],
)
def test_attributes_without_sense_are_one_sentence(tmp_path: Path, attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_scan(_write(tmp_path / "a.h5", attributes))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"kspace": _with(KSPACE, (1, 2, 3, 4), np.nan)}, "^slice 1 of '.*a.h5' holds NaN or infinite values"),
        ({"kspace": _with(KSPACE, (1, 2, 3, 4), np.inf)}, "^slice 1 of '.*a.h5' holds NaN or infinite values"),
        ({"kspace": _with(KSPACE, 1, 0)}, "^slice 1 of '.*a.h5' holds nothing but zeros"),
        ({"coil_maps": _with(KSPACE, (1, 0, 0, 0), np.nan)}, "^'coil_maps' of slice 1 of '.*a.h5' holds NaN"),
        ({"reconstruction_rss": _with(np.ones((2, 6, 5)), (1, 0, 0), np.nan)}, "^'reconstruction_rss' of slice 1"),
    ],
)
def test_bad_values_are_found_in_their_slice(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    scan = open_scan(_write(tmp_path / "a.h5", **arrays))
    np.testing.assert_array_equal(scan[0].kspace, KSPACE[0])
    with pytest.raises(ValueError, match=message):
        scan[1]


def test_damage_that_shows_when_a_slice_is_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("kspace", data=KSPACE, chunks=(1, 3, 6, 5), compression="gzip")
        damaged = dataset.id.get_chunk_info(1).byte_offset
    scan = open_scan(path)
    with path.open("r+b") as stream:
        stream.seek(damaged + 4)
        stream.write(bytes(20))
    assert scan[0].kspace.shape == (3, 6, 5)
    with pytest.raises(ValueError, match=r"cannot read '.*a.h5' as HDF5"):
        scan[1]


def test_one_slice_is_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = random_complex(RNG, 50, 3, 6, 5)
    path = _write(tmp_path / "a.h5", kspace=many, coil_maps=many, reconstruction_rss=np.ones((50, 6, 5)))
    sizes: list[int] = []
    read = h5py.Dataset.__getitem__

    def counted(dataset: h5py.Dataset, *arguments: Any, **options: Any) -> Any:
        values = read(dataset, *arguments, **options)
        sizes.append(np.size(values))
        return values

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    scan = open_scan(path)
    assert sizes == []
    scan[17]
    assert sorted(sizes) == [6 * 5, 3 * 6 * 5, 3 * 6 * 5]
