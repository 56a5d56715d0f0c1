from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mri_noise.acquisition.scan import Scan
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
from tests.io.reference_scans import BOTH, REFERENCE

RNG = np.random.default_rng(23)
N_LINES, CENTRE = 12, range(3, 9)
LATTICE = np.arange(N_LINES) % 3 == 1
INTEGRATED = LATTICE | np.isin(np.arange(N_LINES), CENTRE)
HEADER = Header((6, N_LINES, 1))


def _image(kspace: np.ndarray, **counters: int) -> list[Line]:
    return [line for line in lines_of(kspace, **counters) if LATTICE[line.line]]


def _between(kspace: np.ndarray, **counters: int) -> list[Line]:
    """Reference lines at places of the centre that the image has not."""
    lines = [line for line in lines_of(kspace, **counters) if line.line in CENTRE and not LATTICE[line.line]]
    return [replace(line, flags=REFERENCE) for line in lines]


def _whole(kspace: np.ndarray, **counters: int) -> list[Line]:
    """Reference lines at all places of the centre."""
    return [replace(line, flags=REFERENCE) for line in lines_of(kspace, **counters) if line.line in CENTRE]


def _require(scan: Scan, index: int, kspace: np.ndarray, lines: np.ndarray) -> None:
    np.testing.assert_array_equal(scan[index].mask, np.broadcast_to(lines, scan.matrix))
    np.testing.assert_allclose(scan[index].kspace, kspace * lines, atol=1e-6)


def test_reference_lines_between_those_of_the_image_are_kspace(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 2, 6, N_LINES)
    lines = [*_image(kspace), *_between(kspace)]
    for number in (1, 2):
        lines[number] = replace(lines[number], flags=BOTH if number == 1 else (*BOTH, *REFERENCE))
    for order in (range(len(lines)), RNG.permutation(len(lines))):
        path = tmp_path / f"{order[0]}-{order[1]}.h5"
        _require(open_scan(write_ismrmrd(path, HEADER, [lines[i] for i in order])), 0, kspace, INTEGRATED)


def test_they_belong_to_the_slice_and_the_repetition_that_their_counters_say(tmp_path: Path) -> None:
    kspace = {(r, s): random_complex(RNG, 2, 6, N_LINES) for r in (0, 1) for s in (0, 1)}
    lines = [line for (r, s), values in kspace.items() for line in _image(values, repetition=r, slice=s)]
    lines += [line for s in (0, 1) for line in _between(kspace[0, s], repetition=0, slice=s)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, lines))
    assert scan.labels == tuple(f"slice {s}, repetition {r}" for r in (0, 1) for s in (0, 1))
    for index, ((repetition, _), values) in enumerate(kspace.items()):
        _require(scan, index, values, LATTICE if repetition else INTEGRATED)


@pytest.mark.parametrize(
    "separate",
    [
        _whole,
        lambda kspace: _whole(kspace)[1:2] + _between(kspace),
        lambda kspace: [replace(line, dwell_time=2.5) for line in _between(kspace)],
        lambda kspace: [replace(line, samples=line.samples[:, 1:5]) for line in _between(kspace)],
        lambda kspace: [replace(line, samples=line.samples[:1]) for line in _between(kspace)],
        lambda kspace: [replace(line, encoding=1) for line in _between(kspace)],
        lambda kspace: [replace(line, line=line.line + 100) for line in _between(kspace)],
        lambda kspace: _between(kspace, contrast=1),
        lambda kspace: _between(kspace, set=1),
        lambda kspace: _between(kspace, slice=1),
    ],
)
def test_a_separate_reference_stays_out_of_kspace(tmp_path: Path, separate) -> None:
    kspace, other = random_complex(RNG, 2, 6, N_LINES), random_complex(RNG, 2, 6, N_LINES)
    header = replace(HEADER, others=(HEADER,))
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", header, [*separate(other), *_image(kspace)]))
    assert scan.labels == ("slice 0",)
    _require(scan, 0, kspace, LATTICE)


def test_a_reference_whose_dwell_time_is_not_known_is_taken_to_have_the_images(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 2, 6, N_LINES)
    reference = [replace(line, dwell_time=0.0) for line in _between(kspace)]
    _require(open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, [*_image(kspace), *reference])), 0, kspace, INTEGRATED)


@pytest.mark.parametrize(("n_reference", "n_averages", "expected"), [(1, 2, LATTICE), (2, 2, INTEGRATED)])
def test_noise_is_that_of_every_line_whatever_the_averages_of_the_reference(
    tmp_path: Path, n_reference: int, n_averages: int, expected: np.ndarray
) -> None:
    """A reference measured less often than the image has more noise: it is left out, and the image keeps its signal."""
    prescan = noise_lines(RNG, 2, 30)
    kspace = [random_complex(RNG, 2, 6, N_LINES) for _ in range(3)]
    lines = [line for number in range(n_averages) for line in _image(kspace[number], average=number)]
    lines += [line for number in range(n_reference) for line in _between(kspace[number], average=number)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, prescan + lines))
    _require(scan, 0, np.mean(kspace[:n_averages], axis=0), expected)
    noise = scan[0].noise
    samples = np.concatenate([line.samples for line in prescan], axis=1).astype(np.complex128)
    assert noise is not None
    np.testing.assert_allclose(noise.covariance, samples @ samples.conj().T / samples.shape[1] / n_averages, rtol=1e-6)


def test_a_reference_measured_more_often_counts_as_often_as_the_image(tmp_path: Path) -> None:
    first, second = (random_complex(RNG, 2, 6, N_LINES) for _ in range(2))
    lines = [*_image(first), *_between(first), *_between(second, average=1)]
    _require(open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, lines)), 0, first, INTEGRATED)


def test_a_reference_of_a_partial_oversampled_asymmetric_scan(tmp_path: Path) -> None:
    """Lines 4 to 11 of 12, whose counters run from 0 with their centre at 2; samples 6 to 15 of 16."""
    kspace = random_complex(RNG, 2, 16, N_LINES)
    header = Header((16, N_LINES, 1), (8, N_LINES, 1), (320.0, 1.0, 1.0), (160.0, 1.0, 1.0), centers=(2, 0))
    lines = [
        replace(line, samples=line.samples[:, 6:], center=2, line=line.line - 4)
        for line in [*_image(kspace), *_between(kspace)]
        if line.line >= 4
    ]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", header, lines))[0]
    narrowed = fft_along(ifft_along(kspace * (np.arange(16) >= 6)[:, None], 1)[:, 4:12], 1)
    expected = np.isin(np.arange(8), np.arange(3, 8))[:, None] & INTEGRATED & (np.arange(N_LINES) >= 4)
    np.testing.assert_array_equal(piece.mask, expected)
    np.testing.assert_allclose(piece.kspace, narrowed * expected, atol=1e-6)


def test_a_reference_goes_over_the_end_with_the_image(tmp_path: Path) -> None:
    """All counters fit, but not about the centre that the header states."""
    kspace = random_complex(RNG, 2, 6, N_LINES)
    lines = [*_image(kspace), *_between(kspace)]
    for center in (0, 2, 11):
        header = replace(HEADER, centers=(center, 0))
        scan = open_scan(write_ismrmrd(tmp_path / f"{center}.h5", header, lines))
        _require(scan, 0, np.roll(kspace, 6 - center, axis=2), np.roll(INTEGRATED, 6 - center))


def test_a_reference_between_the_lines_of_a_3d_scan(tmp_path: Path) -> None:
    """R = 2 x 2 with a centre of 4 x 3; the same file with a reference at the image's own places has none of it."""
    kspace = random_complex(RNG, 2, 5, 8, 6)
    y, z = np.mgrid[:8, :6]
    lattice, centre = (y % 2 == 0) & (z % 2 == 1), (y >= 2) & (y < 6) & (z >= 2) & (z < 5)
    image = [Line(kspace[:, :, i, j], i, j) for i, j in np.argwhere(lattice).tolist()]
    between, whole = (
        [Line(kspace[:, :, i, j], i, j, REFERENCE) for i, j in np.argwhere(places).tolist()]
        for places in (centre & ~lattice, centre)
    )
    for reference, mask in ((between, lattice | centre), (whole, lattice)):
        scan = open_scan(write_ismrmrd(tmp_path / f"{len(reference)}.h5", Header((5, 8, 6)), reference + image))
        np.testing.assert_array_equal(scan[2].mask, mask)
        np.testing.assert_allclose(scan[2].kspace, ifft_along(kspace * mask, 1)[:, 2], atol=1e-6)
