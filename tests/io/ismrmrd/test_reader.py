import tempfile
from dataclasses import replace
from pathlib import Path

import ismrmrd
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ismrmrd import xsd

from mri_noise.acquisition.scan import Slice
from mri_noise.io.formats import open_scan
from tests.io.ismrmrd_files import (
    Header,
    Line,
    fft_along,
    ifft_along,
    lines_of,
    noise_lines,
    random_complex,
    write_ismrmrd,
)

RNG = np.random.default_rng(11)


def _covariance(piece: Slice) -> np.ndarray:
    assert piece.noise is not None
    return piece.noise.covariance.numpy()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(shape=st.tuples(st.integers(1, 3), st.integers(2, 7), st.integers(2, 6)), seed=st.integers(0, 99))
def test_slices_and_repetitions_come_back_whatever_the_order(
    tmp_path: Path, shape: tuple[int, int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    kspace = {(repetition, index): random_complex(rng, *shape) for repetition in (0, 1) for index in (0, 2)}
    lines = [line for (r, s), slab in kspace.items() for line in lines_of(slab, repetition=r, slice=s)]
    (tmp_path / "a.h5").unlink(missing_ok=True)
    path = write_ismrmrd(tmp_path / "a.h5", Header((*shape[1:], 1)), [lines[i] for i in rng.permutation(len(lines))])
    scan = open_scan(path)
    assert (scan.n_coils, scan.matrix, scan.phase_encode_axes) == (shape[0], shape[1:], (-1,))
    assert scan.labels == tuple(f"slice {index}, repetition {r}" for r in (0, 1) for index in (0, 2))
    for piece, expected in zip(map(scan.read, range(4)), kspace.values(), strict=True):
        np.testing.assert_array_equal(piece.kspace, expected)
        assert bool(piece.mask.all()) and piece.noise is None


def test_every_other_loop_is_named_if_the_scan_runs_through_it(tmp_path: Path) -> None:
    lines = [
        line
        for contrast in (0, 1)
        for number in (0, 1)
        for line in lines_of(random_complex(RNG, 2, 4, 3), contrast=contrast, set=number, phase=5)
    ]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((4, 3, 1)), lines))
    assert scan.labels == tuple(f"slice 0, set {number}, contrast {c}" for number in (0, 1) for c in (0, 1))


def test_the_voxel_is_that_of_the_encoded_matrix(tmp_path: Path) -> None:
    header = Header((8, 5, 1), (4, 5, 1), fov=(400.0, 150.0, 3.0), recon_fov=(200.0, 150.0, 3.0))
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", header, lines_of(random_complex(RNG, 2, 8, 5))))
    assert scan.voxel_size == (3.0, 50.0, 30.0)


@pytest.mark.parametrize(("n_samples", "n_readout"), [(12, 6), (10, 5), (9, 6), (6, 6)])
def test_readout_oversampling_is_removed(tmp_path: Path, n_samples: int, n_readout: int) -> None:
    header = Header((n_samples, 5, 1), (n_readout, 5, 1), (40.0 * n_samples, 1.0, 1.0), (40.0 * n_readout, 1.0, 1.0))
    profiles = random_complex(RNG, 3, n_samples, 5).astype(np.complex128)
    lines = lines_of(fft_along(profiles, 1))
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", header, lines))[0]
    start = n_samples // 2 - n_readout // 2
    np.testing.assert_allclose(piece.kspace, fft_along(profiles[:, start : start + n_readout], 1), atol=1e-6)
    assert bool(piece.mask.all())


def test_a_finer_matrix_of_the_same_field_of_view_is_not_oversampling(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 2, 8, 5)
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((8, 5, 1), (4, 5, 1)), lines_of(kspace)))[0]
    np.testing.assert_array_equal(piece.kspace, kspace)


def test_partial_fourier_lines_lie_about_the_centre_of_their_counter(tmp_path: Path) -> None:
    """Counters 0 to 5 with their centre at 2 are lines 2 to 7 of 9, whose centre is line 4."""
    kspace = random_complex(RNG, 2, 6, 9)
    lines = [replace(line, line=line.line - 2) for line in lines_of(kspace)[2:8]]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 9, 1), centers=(2, 0)), lines))[0]
    expected = np.isin(np.arange(9), np.arange(2, 8))
    np.testing.assert_array_equal(piece.mask, np.broadcast_to(expected, (6, 9)))
    np.testing.assert_array_equal(piece.kspace, kspace * expected)


@pytest.mark.parametrize("center", [-1, 0, 1, 3, 4, 5, 9])
def test_lines_that_a_wrong_centre_puts_over_the_end_go_on_at_the_start(tmp_path: Path, center: int) -> None:
    """The same lines about a centre that is not theirs: a circular shift, which the image shows as a phase alone."""
    kspace = random_complex(RNG, 2, 6, 9)
    lines = [replace(line, line=line.line - 2) for line in lines_of(kspace)[2:8]]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 9, 1), centers=(center, 0)), lines))[0]
    measured = np.isin(np.arange(9), np.arange(2, 8))
    np.testing.assert_array_equal(piece.mask, np.broadcast_to(np.roll(measured, 2 - center), (6, 9)))
    np.testing.assert_array_equal(piece.kspace, np.roll(kspace * measured, 2 - center, axis=2))
    images = [np.abs(ifft_along(each, 2)) for each in (piece.kspace.numpy(), kspace * measured)]
    np.testing.assert_allclose(*images, atol=1e-6)


@pytest.mark.parametrize(("center", "n_readout"), [(0, 12), (9, 12), (0, 6), (8, 6)])
def test_samples_that_a_wrong_echo_puts_over_the_end_go_on_at_the_start(
    tmp_path: Path, center: int, n_readout: int
) -> None:
    """Samples 4 to 11 of 12, whose echo is their sample 2."""
    kspace = random_complex(RNG, 2, 12, 4)
    header = Header((12, 4, 1), (n_readout, 4, 1), (240.0, 1.0, 1.0), (20.0 * n_readout, 1.0, 1.0))
    lines = [replace(line, samples=line.samples[:, 4:], center=center) for line in lines_of(kspace)]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", header, lines))[0]
    shifted = np.roll(kspace * (np.arange(12) >= 4)[:, None], 2 - center, axis=1)
    narrowed = fft_along(ifft_along(shifted, 1)[:, 6 - n_readout // 2 : 6 - n_readout // 2 + n_readout], 1)
    np.testing.assert_allclose(piece.kspace, narrowed * piece.mask.numpy(), atol=1e-6)
    if n_readout == 12:
        np.testing.assert_array_equal(piece.mask, np.broadcast_to((shifted != 0).all((0, 2))[:, None], (12, 4)))


def test_a_3d_scan_goes_on_at_the_start_along_both_phase_encodes_and_its_readout(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 2, 8, 6, 5)
    places = [(y, z) for y in range(4) for z in range(3)]
    lines = [Line(kspace[:, 2:, y, z], y, z, center=0) for y, z in places]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((8, 6, 5), centers=(0, 0)), lines))[3]
    measured = np.zeros((8, 6, 5), dtype=bool)
    measured[2:, :4, :3] = True
    shifted = np.roll(kspace * measured, (2, 3, 2), axis=(1, 2, 3))
    np.testing.assert_allclose(piece.kspace, ifft_along(shifted, 1)[:, 3], atol=1e-6)
    np.testing.assert_array_equal(piece.mask, np.roll(measured[2], (3, 2), axis=(0, 1)))


def test_an_asymmetric_echo_lies_about_its_centre_sample(tmp_path: Path) -> None:
    """Of 11 samples about sample 5 the first three are missing, and one more at either end is discarded."""
    kspace = random_complex(RNG, 2, 11, 4)
    lines = [replace(line, samples=line.samples[:, 3:], center=2, discard=(1, 1)) for line in lines_of(kspace)]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((11, 4, 1)), lines))[0]
    expected = np.isin(np.arange(11), np.arange(4, 10))[:, None]
    np.testing.assert_array_equal(piece.mask, np.broadcast_to(expected, (11, 4)))
    np.testing.assert_array_equal(piece.kspace, kspace * expected)


def test_an_asymmetric_echo_with_oversampling_keeps_its_half_of_the_readout(tmp_path: Path) -> None:
    header = Header((16, 3, 1), (8, 3, 1), (320.0, 1.0, 1.0), (160.0, 1.0, 1.0))
    kspace = random_complex(RNG, 2, 16, 3)
    lines = [replace(line, samples=line.samples[:, 6:], center=2) for line in lines_of(kspace)]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", header, lines))[0]
    expected = np.isin(np.arange(8), np.arange(3, 8))[:, None]
    np.testing.assert_array_equal(piece.mask, np.broadcast_to(expected, (8, 3)))
    filled = kspace * (np.arange(16) >= 6)[:, None]
    narrowed = fft_along(ifft_along(filled, 1)[:, 4:12], 1)
    np.testing.assert_allclose(piece.kspace, narrowed * expected, atol=1e-6)


def test_a_complete_readout_needs_no_centre_sample(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 2, 8, 3)
    lines = [replace(line, center=0) for line in lines_of(kspace)]
    np.testing.assert_array_equal(
        open_scan(write_ismrmrd(tmp_path / "a.h5", Header((8, 3, 1)), lines))[0].kspace, kspace
    )


def test_lines_that_are_not_of_the_image_are_left_out(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 2, 8, 5)
    lines = lines_of(kspace)
    both = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING)
    lines[2] = replace(lines[2], flags=both)
    lines[3] = replace(lines[3], flags=both[1:])
    wrong = Line(random_complex(RNG, 2, 5), line=99)
    others = [
        replace(wrong, flags=(flag,))
        for flag in (
            ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,
            ismrmrd.ACQ_IS_NAVIGATION_DATA,
            ismrmrd.ACQ_IS_PHASECORR_DATA,
            ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
            ismrmrd.ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA,
        )
    ]
    lines = [*others, *lines, replace(wrong, encoding=1)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((8, 5, 1)), lines))
    assert len(scan) == 1
    np.testing.assert_array_equal(scan[0].kspace, kspace)


def test_averages_are_averaged_and_so_is_their_noise(tmp_path: Path) -> None:
    averages = [random_complex(RNG, 2, 6, 5) for _ in range(3)]
    prescan = noise_lines(RNG, 2, 20)
    lines = [line for number, kspace in enumerate(averages) for line in lines_of(kspace, average=number)]
    one = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), prescan + lines[:5]))[0]
    three = open_scan(write_ismrmrd(tmp_path / "b.h5", Header((6, 5, 1)), prescan + lines))
    assert len(three) == 1
    np.testing.assert_allclose(three[0].kspace, np.mean(averages, axis=0), atol=1e-6)
    np.testing.assert_allclose(_covariance(three[0]), _covariance(one) / 3, rtol=1e-12)


def test_lines_measured_more_often_than_others_are_averaged_as_often_as_those(tmp_path: Path) -> None:
    """Noise has one covariance for the whole slice: line 1 has a third measurement, which is left out."""
    first, second = random_complex(RNG, 2, 6, 5), random_complex(RNG, 2, 6, 5)
    third = Line(random_complex(RNG, 2, 6), line=1, counters={"average": 2})
    lines = [*lines_of(first), *lines_of(second, average=1), third]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), lines))[0]
    np.testing.assert_allclose(piece.kspace, (first + second) / 2, atol=1e-6)
    assert bool(piece.mask.all())


def _sample_covariance(prescan: list[Line]) -> np.ndarray:
    samples = np.concatenate([line.samples for line in prescan], axis=1).astype(np.complex128)
    return samples @ samples.conj().T / samples.shape[1]


def test_the_prescan_is_scaled_by_the_ratio_of_the_dwell_times(tmp_path: Path) -> None:
    """The variance of a sample is proportional to the bandwidth, the inverse of the dwell time."""
    prescan = noise_lines(RNG, 2, 30, dwell_time=4.0)
    fast = [replace(line, dwell_time=1.0) for line in lines_of(random_complex(RNG, 2, 6, 5))]
    slow = [replace(line, dwell_time=8.0) for line in lines_of(random_complex(RNG, 2, 6, 5), contrast=1)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), [*prescan, *fast, *slow]))
    np.testing.assert_allclose(_covariance(scan[0]), 4.0 * _sample_covariance(prescan), rtol=1e-6)
    np.testing.assert_allclose(_covariance(scan[1]), 0.5 * _sample_covariance(prescan), rtol=1e-6)


def test_prescans_of_different_dwell_times_are_of_one_noise(tmp_path: Path) -> None:
    one = noise_lines(RNG, 2, 30, dwell_time=5.0)
    faster = [replace(line, samples=2 * line.samples, dwell_time=1.25) for line in one]
    lines = lines_of(random_complex(RNG, 2, 6, 5))
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), [*one, *faster, *lines]))[0]
    np.testing.assert_allclose(_covariance(piece), _sample_covariance(one), rtol=1e-6)


def test_unknown_dwell_times_are_taken_to_be_the_same(tmp_path: Path) -> None:
    prescan = noise_lines(RNG, 2, 30, dwell_time=0.0)
    lines = lines_of(random_complex(RNG, 2, 6, 5))
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), prescan + lines))[0]
    np.testing.assert_allclose(_covariance(piece), _sample_covariance(prescan), rtol=1e-6)


@pytest.mark.parametrize(("recon_fov", "factor"), [(120.0, 1 / 0.8), (240.0, 1.0)])
def test_the_receivers_bandwidth_counts_once_oversampling_is_removed(
    tmp_path: Path, recon_fov: float, factor: float
) -> None:
    header = Header((8, 5, 1), fov=(240.0, 1.0, 1.0), recon_fov=(recon_fov, 1.0, 1.0), noise_bandwidth=0.8)
    prescan = noise_lines(RNG, 2, 30)
    lines = lines_of(random_complex(RNG, 2, 8, 5))
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", header, prescan + lines))[0]
    np.testing.assert_allclose(_covariance(piece), factor * _sample_covariance(prescan), rtol=1e-6)


def _volume_lines(kspace: np.ndarray, sampled: np.ndarray, **counters: int) -> list[Line]:
    return [Line(kspace[:, :, y, z], y, z, counters=counters) for y, z in np.argwhere(sampled).tolist()]


@pytest.mark.parametrize("block_bytes", [1, 300, 32 * 2**20])
def test_a_3d_scan_is_cut_across_its_readout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr("mri_noise.io.ismrmrd.acquisitions.BLOCK_BYTES", block_bytes)
    kspace = random_complex(RNG, 2, 10, 6, 5)
    sampled = RNG.random((6, 5)) < 0.6
    sampled[3, 2] = True
    header = Header((10, 6, 5), (5, 6, 5), (400.0, 180.0, 50.0), (200.0, 180.0, 50.0))
    lines = _volume_lines(kspace, sampled)
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", header, [lines[i] for i in RNG.permutation(len(lines))]))
    assert (len(scan), scan.matrix, scan.phase_encode_axes) == (5, (6, 5), (-2, -1))
    assert (scan.layout, scan.labels[4], scan.voxel_size) == ("ISMRMRD HDF5, 3-D", "slice 4", (40.0, 30.0, 10.0))
    hybrid = ifft_along(kspace * sampled, 1)[:, 3:8]
    for index in range(5):
        np.testing.assert_allclose(scan[index].kspace, hybrid[:, index], atol=1e-6)
        np.testing.assert_array_equal(scan[index].mask, sampled)


def test_every_slab_and_repetition_of_a_3d_scan_is_cut(tmp_path: Path) -> None:
    slabs = {(r, s): random_complex(RNG, 2, 4, 3, 5) for r in (0, 1) for s in (0, 1)}
    full = np.ones((3, 5), dtype=bool)
    lines = [line for (r, s), slab in slabs.items() for line in _volume_lines(slab, full, repetition=r, slice=s)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((4, 3, 5)), lines))
    assert scan.labels[7:9] == ("slice 3, slab 1, repetition 0", "slice 0, slab 0, repetition 1")
    for index in (9, 0, 15, 6):
        expected = ifft_along(slabs[divmod(index // 4, 2)], 1)[:, index % 4]
        np.testing.assert_allclose(scan[index].kspace, expected, atol=1e-6)


def test_noise_of_a_3d_scan_falls_with_averages_and_with_the_share_of_the_readout(tmp_path: Path) -> None:
    """An orthonormal transform of m white samples among n places has m / n of their variance at each position."""
    kspace, prescan = random_complex(RNG, 2, 8, 3, 4), noise_lines(RNG, 2, 30)
    lines = [
        replace(line, samples=line.samples[:, 2:], center=2)
        for number in (0, 1)
        for line in _volume_lines(kspace, np.ones((3, 4), dtype=bool), average=number)
    ]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((8, 3, 4)), prescan + lines))[5]
    filled = kspace * (np.arange(8) >= 2)[:, None, None]
    np.testing.assert_allclose(piece.kspace, ifft_along(filled, 1)[:, 5], atol=1e-6)
    np.testing.assert_allclose(_covariance(piece), _sample_covariance(prescan) * (6 / 8) / 2, rtol=1e-6)


def test_slices_stacked_in_a_3d_matrix_are_still_2d(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 2, 6, 5)
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 7)), lines_of(kspace, slice=3)))
    assert (scan.labels, scan.phase_encode_axes) == (("slice 3",), (-1,))
    np.testing.assert_array_equal(scan[0].kspace, kspace)


def test_a_3d_scan_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    lines = _volume_lines(random_complex(RNG, 2, 4, 3, 5), np.ones((3, 5), dtype=bool))
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((4, 3, 5)), lines))
    piece = scan[1]
    assert list(folder.iterdir()) == []
    del scan
    assert bool(torch.isfinite(torch.view_as_real(piece.kspace)).all())
    assert str(folder) not in _mapped_files()


def _mapped_files() -> str:
    maps = Path("/proc/self/maps")
    return maps.read_text() if maps.exists() else ""


def test_a_slice_reads_its_own_acquisitions_only(tmp_path: Path) -> None:
    """Slice 1 is damaged: as slice 0 still reads, and slice 1 does not, neither reads the other's samples."""
    good, bad = random_complex(RNG, 2, 6, 5), random_complex(RNG, 2, 6, 5)
    path = write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), [*lines_of(good), *lines_of(bad, slice=1)])
    with ismrmrd.Dataset(path, mode="r+") as dataset:
        data = dataset._dataset["data"]
        row = data[7]
        row["data"] = row["data"][:6]
        data[7] = row
    scan = open_scan(path)
    np.testing.assert_array_equal(scan[0].kspace, good)
    with pytest.raises(ValueError, match=r"acquisition 7 of '.*a.h5' should have 2 x 6 complex samples, but holds 3"):
        scan[1]


def test_bad_values_are_found_in_their_slice(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 3, 2, 6, 5)
    kspace[1], kspace[2, 0, 3, 2] = 0, np.nan
    lines = [line for index in range(3) for line in lines_of(kspace[index], slice=index)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), lines))
    np.testing.assert_array_equal(scan[0].kspace, kspace[0])
    with pytest.raises(ValueError, match=r"^slice 1 of '.*a.h5' holds nothing but zeros"):
        scan[1]
    with pytest.raises(ValueError, match=r"^slice 2 of '.*a.h5' holds NaN"):
        scan[2]


LINES = lines_of(random_complex(RNG, 2, 6, 5))
PRESCAN = noise_lines(RNG, 2, 30)


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        (Header((6, 5, 1)), PRESCAN, "'.*a.h5' holds no imaging acquisitions"),
        (Header((6, 4, 1)), LINES, r"acquisition 4 of '.*a.h5' does not fit the encoded matrix \(6, 4, 1\)"),
        (Header((5, 5, 1)), LINES, r"acquisition 0 of '.*a.h5' does not fit .* has 6 samples from"),
        (
            Header((6, 5, 1), centers=(4, 0)),
            [*LINES, replace(LINES[0], line=5)],
            "acquisition 0 of '.*a.h5' does not fit .* at line -2",
        ),
        (Header((6, 5, 1)), [Line(np.ones((2, 4)), center=center) for center in (0, 3)], "does not fit .* from 3"),
        (Header((6, 5, 1)), [*LINES, replace(LINES[0], partition=3, line=9)], "acquisition 5 of '.*a.h5' does not fit"),
        (Header((6, 5, 1)), [replace(LINES[0], discard=(3, 3))], "acquisition 0 of '.*a.h5' does not fit .* 0 samples"),
        (Header((6, 5, 1)), [*LINES, Line(np.ones((3, 6)))], r"'.*a.h5' should have the same coils.* \[2, 3\]"),
        (Header((6, 5, 1)), [*noise_lines(RNG, 3, 30), *LINES], r"same coils, .* have \[2\] and the noise ones \[3\]"),
        (Header((6, 5, 1)), [*noise_lines(RNG, 2, 2), *LINES], "at least 8 noise samples, got 6 .*'a.h5'"),
        (Header((6, 5, 1)), [replace(LINES[0], flags=(ismrmrd.ACQ_IS_REVERSE,))], "'.*a.h5' holds reversed"),
        (Header((6, 5, 1)), [replace(LINES[0], flags=(ismrmrd.ACQ_COMPRESSION2,))], "'.*a.h5' holds .*compressed"),
        (Header((6, 5, 1), trajectory=xsd.trajectoryType.RADIAL), LINES, "'.*a.h5' has a radial trajectory"),
        (
            Header((6, 5, 3)),
            [Line(np.ones((2, 6)), 0, 1), Line(np.ones((2, 4)), 1, 2)],
            "readouts of a 3-D acquisition .* those of '.*a.h5' differ",
        ),
    ],
)
def test_files_that_do_not_fit_together_are_one_sentence(
    tmp_path: Path, header: Header, lines: list[Line], message: str
) -> None:
    path = write_ismrmrd(tmp_path / "a.h5", header, lines)
    with pytest.raises(ValueError, match=message) as caught:
        open_scan(path)
    assert "\n" not in str(caught.value)


def test_a_foreign_table_is_one_sentence(tmp_path: Path) -> None:
    path = write_ismrmrd(tmp_path / "a.h5", Header((6, 5, 1)), LINES)
    with ismrmrd.Dataset(path, mode="r+") as dataset:
        del dataset._dataset["data"]
        dataset._dataset["data"] = np.zeros(3, dtype=[("head", "f8"), ("data", "f8")])
    with pytest.raises(ValueError, match=r"'/dataset/data' in '.*a.h5' is not a table of ISMRMRD acquisitions"):
        open_scan(path)
