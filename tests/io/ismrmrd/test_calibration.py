from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mri_noise.acquisition.scan import Slice, prewhitened
from mri_noise.io.formats import open_scan
from tests.io.ismrmrd_files import Header, Line, fft_along, ifft_along, lines_of, random_complex, write_ismrmrd
from tests.io.reference_scans import REFERENCE
from tests.problems import covariance

RNG = np.random.default_rng(29)
N_LINES, CENTRE = 12, range(3, 9)
LATTICE = np.arange(N_LINES) % 3 == 1
HEADER = Header((8, N_LINES, 1))


def _image(kspace: np.ndarray, offset: int = 1, **counters: int) -> list[Line]:
    return [line for line in lines_of(kspace, **counters) if line.line % 3 == offset]


def _reference(kspace: np.ndarray, **counters: int) -> list[Line]:
    return [replace(line, flags=REFERENCE) for line in lines_of(kspace, **counters) if line.line in CENTRE]


def _between(kspace: np.ndarray, **counters: int) -> list[Line]:
    return [line for line in _reference(kspace, **counters) if not LATTICE[line.line]]


def _require(piece: Slice, centre: np.ndarray) -> None:
    assert piece.calibration is not None
    np.testing.assert_allclose(piece.calibration, centre, atol=1e-6)


@pytest.mark.parametrize("counters", [{}, {"contrast": 1}, {"set": 2}, {"repetition": 3}])
def test_a_separate_reference_is_the_calibration_of_its_slice(tmp_path: Path, counters: dict[str, int]) -> None:
    image, other = random_complex(RNG, 2, 2, 8, N_LINES), random_complex(RNG, 2, 2, 8, N_LINES)
    lines = [line for s in (0, 1) for line in [*_reference(other[s], slice=s, **counters), *_image(image[s], slice=s)]]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, lines))
    for index in (0, 1):
        np.testing.assert_array_equal(scan[index].kspace, image[index] * LATTICE)
        _require(scan[index], other[index][:, :, CENTRE])


def test_repeated_references_are_averaged(tmp_path: Path) -> None:
    image, *others = (random_complex(RNG, 2, 8, N_LINES) for _ in range(3))
    lines = [*_image(image), *_reference(others[0]), *_reference(others[1], average=1)]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, lines))[0]
    _require(piece, np.mean(others, axis=0)[:, :, CENTRE])


def test_a_reference_may_have_a_matrix_of_its_own_in_the_same_field_of_view(tmp_path: Path) -> None:
    """Its lines are oversampled, fewer, and numbered from the centre of their own encoding."""
    image, small = random_complex(RNG, 2, 8, N_LINES), random_complex(RNG, 2, 8, 6)
    own = Header((8, 6, 1), (4, 6, 1), (480.0, 180.0, 5.0), (240.0, 180.0, 5.0), centers=(1, 0))
    reference = [replace(line, line=line.line - 2, encoding=1, flags=REFERENCE) for line in lines_of(small)][2:]
    for header, expected in ((own, True), (replace(own, fov=(480.0, 200.0, 5.0)), False)):
        path = tmp_path / f"{expected}.h5"
        write_ismrmrd(path, replace(HEADER, others=(header,)), [*reference, *_image(image)])
        piece = open_scan(path)[0]
        np.testing.assert_array_equal(piece.kspace, image * LATTICE)
        assert (piece.calibration is not None) == expected
        if expected:
            narrowed = fft_along(ifft_along(small, 1)[:, 2:6], 1)
            _require(piece, narrowed[:, :, 2:5])


def test_an_integrated_reference_with_fewer_averages_is_the_calibration_with_the_lines_that_it_lies_between(
    tmp_path: Path,
) -> None:
    first, second = (random_complex(RNG, 2, 8, N_LINES) for _ in range(2))
    lines = [*_image(first), *_image(second, average=1), *_between(first)]
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, lines))[0]
    mean = np.where(LATTICE, (first + second) / 2, first)
    np.testing.assert_allclose(piece.kspace, mean * LATTICE, atol=1e-6)
    _require(piece, mean[:, :, CENTRE])


def test_an_integrated_reference_of_the_first_repetition_serves_the_others(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 3, 2, 8, N_LINES)
    lines = [line for number in range(3) for line in _image(kspace[number], repetition=number)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, [*lines, *_between(kspace[0])]))
    assert scan[0].calibration is None
    for index in (1, 2):
        _require(scan[index], kspace[0][:, :, CENTRE])


def test_the_nearest_repetition_with_most_counters_in_common_serves(tmp_path: Path) -> None:
    kspace = {(r, c): random_complex(RNG, 2, 8, N_LINES) for r in range(4) for c in (0, 1)}
    lines = [line for (r, c), values in kspace.items() for line in _image(values, repetition=r, contrast=c)]
    lines += [line for r in (0, 3) for line in _between(kspace[r, 1], repetition=r, contrast=1)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, lines))
    assert scan.labels[3] == "slice 0, repetition 1, contrast 1"
    for index in range(8):
        repetition, contrast = divmod(index, 2)
        if (repetition, contrast) in ((0, 1), (3, 1)):
            assert scan[index].calibration is None
        else:
            _require(scan[index], kspace[0 if repetition < 2 else 3, 1][:, :, CENTRE])


def test_repetitions_whose_lattice_moves_are_their_common_calibration(tmp_path: Path) -> None:
    kspace = random_complex(RNG, 4, 2, 8, N_LINES)
    lines = [line for number in range(4) for line in _image(kspace[number], number % 3, repetition=number)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, lines))
    number = np.arange(N_LINES) % 3
    mean = sum(np.where(number == r, kspace[r], 0) for r in range(3))
    mean = np.where(number == 0, (kspace[0] + kspace[3]) / 2, mean)
    for index in range(4):
        _require(scan[index], mean)


def test_what_shows_no_more_of_the_centre_is_no_calibration(tmp_path: Path) -> None:
    full, other = random_complex(RNG, 2, 2, 8, N_LINES), random_complex(RNG, 2, 8, N_LINES)
    lines = [line for number in (0, 1) for line in lines_of(full[number], repetition=number)]
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, [*lines, *_reference(other)]))
    assert [scan[index].calibration for index in (0, 1)] == [None, None]
    lone = open_scan(write_ismrmrd(tmp_path / "b.h5", HEADER, _image(other)))
    assert lone[0].calibration is None


@pytest.mark.parametrize("bad", [0, np.nan])
def test_a_reference_without_signal_does_not_block_the_image(tmp_path: Path, bad: float) -> None:
    image = random_complex(RNG, 2, 8, N_LINES)
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, [*_image(image), *_reference(0 * image + bad)]))
    np.testing.assert_array_equal(scan[0].kspace, image * LATTICE)
    assert scan[0].calibration is None


@pytest.mark.parametrize("n_readout", [6, 4])
def test_a_separate_reference_of_a_3d_scan_is_cut_across_its_readout(tmp_path: Path, n_readout: int) -> None:
    """Where its readout is shorter, its k-space is surrounded by zeros."""
    image, other = random_complex(RNG, 2, 6, 8, 6), random_complex(RNG, 2, n_readout, 4, 3)
    lattice, whole = np.argwhere(np.indices((8, 6)).sum(0) % 2 == 1), np.argwhere(np.ones((4, 3)))
    lines = [Line(image[:, :, y, z], y, z) for y, z in lattice.tolist()]
    lines += [Line(other[:, :, y, z], y, z, REFERENCE, encoding=1) for y, z in whole.tolist()]
    header = Header((6, 8, 6), others=(Header((n_readout, 4, 3)),))
    scan = open_scan(write_ismrmrd(tmp_path / "a.h5", header, lines))
    padded = np.zeros((2, 6, 4, 3), dtype=np.complex128)
    padded[:, 3 - n_readout // 2 : 3 - n_readout // 2 + n_readout] = other
    for index in range(6):
        _require(scan[index], ifft_along(padded, 1)[:, index])


def test_the_calibration_is_prewhitened_with_the_kspace(tmp_path: Path) -> None:
    image, other = random_complex(RNG, 2, 8, N_LINES), random_complex(RNG, 2, 8, N_LINES)
    piece = open_scan(write_ismrmrd(tmp_path / "a.h5", HEADER, [*_image(image), *_reference(other)]))[0]
    noise = covariance(2, torch.Generator().manual_seed(3))
    white, _ = prewhitened(piece, noise)
    together, _ = prewhitened(replace(piece, kspace=torch.from_numpy(other), calibration=None), noise)
    _require(white, together.kspace[:, :, CENTRE].numpy())
