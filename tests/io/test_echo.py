from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mri_noise.io.echo import echo_offset
from mri_noise.io.formats import open_scan
from mri_noise.operators.fourier import centered_fft, centered_ifft
from tests.problems import covariance, equispaced, noise_kspace, smooth_maps

ROWS, COLUMNS = 48, 40


def _kspace() -> Tensor:
    """An ellipse with texture, seen by four coils, with noise."""
    y, x = torch.linspace(-1, 1, ROWS)[:, None], torch.linspace(-1, 1, COLUMNS)
    texture = 1 + 0.3 * torch.rand(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    image = ((y / 0.75) ** 2 + (x / 0.65) ** 2 < 1) * texture * torch.exp(1j * (0.4 * x + y**2))
    noise = covariance(4, torch.Generator().manual_seed(0), 0.02)
    return centered_fft(smooth_maps(4, ROWS, COLUMNS, torch.complex128) * image) + noise_kspace(noise, ROWS, COLUMNS)


def _saved(path: Path, kspace: Tensor) -> Path:
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace[None].to(torch.complex64).numpy()
    return path


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(-24, 23), columns=st.integers(-20, 19))
def test_an_echo_far_from_the_middle_is_found_and_one_near_it_is_left(rows: int, columns: int) -> None:
    near, at = max(abs(rows), abs(columns)) <= 2, echo_offset(_kspace())
    assert at == (0, 0)
    found = echo_offset(torch.roll(_kspace(), (rows, columns), (-2, -1)))
    if near:
        assert found == (0, 0)
    elif max(abs(rows), abs(columns)) > 5:
        assert abs(found[0] - rows) <= 1 and abs(found[1] - columns) <= 1


@pytest.mark.parametrize("sampling", ["full", "equispaced", "partial Fourier", "lines along the rows"])
def test_undersampled_data_show_their_echo_too(sampling: str) -> None:
    masks = {
        "full": torch.ones(ROWS, COLUMNS, dtype=torch.bool),
        "equispaced": equispaced(ROWS, COLUMNS, 4, 8),
        "partial Fourier": torch.arange(COLUMNS).expand(ROWS, -1) > 11,
        "lines along the rows": equispaced(COLUMNS, ROWS, 3).mT,
    }
    kspace = _kspace() * masks[sampling]
    assert echo_offset(kspace) == (0, 0)
    rows, columns = echo_offset(torch.roll(kspace, (9, -13), (-2, -1)))
    assert abs(rows - 9) <= 2 and abs(columns + 13) <= 2


def test_noise_and_single_points_have_no_echo() -> None:
    noise = covariance(1, torch.Generator().manual_seed(0))
    for seed in range(30):
        assert echo_offset(noise_kspace(noise, 64, 64, seed)) == (0, 0)


@pytest.mark.parametrize(
    ("rows", "columns"), [(0, 16), (-7, 0), (24, 20)], ids=["phase encode", "readout", "FFT order"]
)
def test_a_file_with_its_echo_elsewhere_gives_the_slice_of_one_that_has_it_in_the_middle(
    tmp_path: Path, rows: int, columns: int
) -> None:
    kspace = _kspace()
    right = open_scan(_saved(tmp_path / "right.h5", kspace))[0]
    moved = open_scan(_saved(tmp_path / "moved.h5", torch.roll(kspace, (rows, columns), (-2, -1))))[0]
    assert right.remarks == ()
    assert torch.equal(moved.kspace, right.kspace) and torch.equal(moved.mask, right.mask)
    (sentence,) = moved.remarks
    named = " and ".join(f"{n:+d} {axis}" for n, axis in ((rows, "rows"), (columns, "columns")) if n)
    found = named if abs(rows) < 24 else "-24 rows and -20 columns"  # half of k-space in either direction
    assert sentence == f"the echo was found {found} from the middle of k-space and moved there"


def test_moving_the_echo_around_the_edges_changes_phases_alone() -> None:
    kspace = _kspace()
    moved = torch.roll(kspace, (11, -7), (-2, -1))
    torch.testing.assert_close(centered_ifft(moved).abs(), centered_ifft(kspace).abs())


def test_measured_scans_have_their_echo_in_the_middle(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("*.h5")):
        scan = open_scan(path)
        for index in range(len(scan)):
            assert scan[index].remarks == (), f"{path.name}, slice {index}"


def test_a_measured_scan_is_the_same_wherever_its_echo_lies(shared_data: Path, tmp_path: Path) -> None:
    with h5py.File(shared_data / "brain_flash_16ch.h5") as file:
        kspace = torch.from_numpy(np.asarray(file["kspace"][0]))
    moved = open_scan(_saved(tmp_path / "moved.h5", torch.roll(kspace, (0, 17), (-2, -1))))[0]
    (remark,) = moved.remarks
    assert torch.equal(centered_ifft(moved.kspace).abs().argmax(), centered_ifft(kspace).abs().argmax())
    assert echo_offset(moved.kspace) == (0, 0) and "+16 columns" in remark
