from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mri_noise.io.formats import open_scan
from tests.io.bart_files import write_bart
from tests.io.ismrmrd_files import ifft_along, random_complex

READ, PHS1, PHS2, COIL, TE, TIME, SLICE = 0, 1, 2, 3, 5, 10, 13
RNG = np.random.default_rng(3)


def _random(sizes: dict[int, int]) -> np.ndarray:
    return random_complex(RNG, *[sizes.get(axis, 1) for axis in range(16)])


def test_a_slice_of_2d_kspace_is_what_was_written(tmp_path: Path) -> None:
    kspace = _random({READ: 9, PHS1: 8, COIL: 3})
    kspace[:, [0, 5]] = 0
    scan = open_scan(write_bart(tmp_path / "a", kspace))
    assert (len(scan), scan.n_coils, scan.matrix, scan.phase_encode_axes) == (1, 3, (9, 8), (-1,))
    assert scan.voxel_size is None
    assert scan[0].kspace.dtype == torch.complex64
    np.testing.assert_array_equal(scan[0].kspace, np.moveaxis(kspace.reshape(9, 8, 3), -1, 0))
    sampled = np.ones((9, 8), dtype=bool)
    sampled[:, [0, 5]] = False
    np.testing.assert_array_equal(scan[0].mask, sampled)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(n_slices=st.integers(1, 3), n_times=st.integers(1, 3), n_echoes=st.integers(1, 2))
def test_every_loop_gives_slices_of_their_own(tmp_path: Path, n_slices: int, n_times: int, n_echoes: int) -> None:
    kspace = _random({READ: 5, PHS1: 4, COIL: 2, TE: n_echoes, TIME: n_times, SLICE: n_slices})
    scan = open_scan(write_bart(tmp_path / "a", kspace))
    assert len(scan) == len(set(scan.labels)) == n_slices * n_times * n_echoes
    for index, label in enumerate(scan.labels):
        counts = {name: int(count) for name, count in (part.rsplit(" ", 1) for part in label.split(", "))}
        place = (slice(None), slice(None), 0, slice(None), 0, counts.get("echo", 0), *[0] * 4, counts.get("time", 0))
        expected = kspace[(*place, 0, 0, counts["slice"], 0, 0)]
        np.testing.assert_array_equal(scan[index].kspace, np.moveaxis(expected, -1, 0))


@pytest.mark.parametrize("block_bytes", [1, 32 * 2**20])
def test_a_3d_scan_is_cut_across_its_readout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr("mri_noise.io.bart.BLOCK_BYTES", block_bytes)
    kspace = _random({READ: 6, PHS1: 5, PHS2: 4, COIL: 2, SLICE: 2})
    kspace[:, 1, 2] = 0
    scan = open_scan(write_bart(tmp_path / "a", kspace))
    assert (len(scan), scan.matrix, scan.phase_encode_axes) == (12, (5, 4), (-2, -1))
    assert scan.labels[6:8] == ("slice 0, slab 1", "slice 1, slab 1")
    hybrid = ifft_along(kspace, READ)
    for index in (7, 2, 11):
        slab, position = divmod(index, 6)
        expected = np.moveaxis(hybrid[position, ..., slab, 0, 0].reshape(5, 4, 2), -1, 0)
        np.testing.assert_allclose(scan[index].kspace, expected, atol=1e-6)
        assert not scan[index].mask[1, 2]
        assert int(scan[index].mask.sum()) == 19


def test_bad_values_are_found_in_their_slice(tmp_path: Path) -> None:
    kspace = _random({READ: 5, PHS1: 4, SLICE: 3})
    kspace[..., 1, 0, 0] = 0
    kspace[2, 2, ..., 2, 0, 0] = np.nan
    scan = open_scan(write_bart(tmp_path / "a", kspace))
    assert scan[0].kspace.shape == (1, 5, 4)
    with pytest.raises(ValueError, match=r"slice 1 of '.*a.cfl' holds nothing but zeros"):
        scan[1]
    with pytest.raises(ValueError, match=r"slice 2 of '.*a.cfl' holds NaN"):
        scan[2]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("no header", "'.*a.hdr' is not a BART header"),
        ("# Dimensions", "'.*a.hdr' is not a BART header"),
        ("# Dimensions\n4 x 1", "'.*a.hdr' is not a BART header"),
        ("# Dimensions\n4 0 1", "'.*a.hdr' is not a BART header"),
        ("# Dimensions\n4 5 1 2 3", "none above 1 in dimension 4"),
        ("# Dimensions\n4 5 1 3", "'.*a.cfl' should have 480 bytes .* but has 320"),
    ],
)
def test_headers_that_do_not_fit_are_one_sentence(tmp_path: Path, header: str, message: str) -> None:
    write_bart(tmp_path / "a", random_complex(RNG, 4, 5, 1, 2))
    (tmp_path / "a.hdr").write_text(header)
    with pytest.raises(ValueError, match=message):
        open_scan(tmp_path / "a")


def test_the_fingerprint_covers_both_files(tmp_path: Path) -> None:
    write_bart(tmp_path / "a", random_complex(RNG, 4, 5, 1, 2))
    before = open_scan(tmp_path / "a").fingerprint
    (tmp_path / "a.hdr").write_text("# Dimensions\n5 4 1 2\n")
    assert open_scan(tmp_path / "a").fingerprint != before
