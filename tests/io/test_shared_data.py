from pathlib import Path

import pytest

from mri_noise.io.formats import open_scan
from mri_noise.operators.fourier import centered_ifft


@pytest.mark.parametrize(
    ("name", "shape", "voxel_size"),
    [
        ("brain_flash_16ch.h5", (1, 16, 128, 128), (3.0, 2.0, 2.0)),
        ("brain_flash_2ch_bodycoil.h5", (1, 2, 128, 128), (3.0, 2.0, 2.0)),
        ("phantom_flash_16ch.h5", (1, 16, 128, 128), (3.0, 2.0, 2.0)),
        ("brain_t1_7ch.h5", (1, 7, 256, 216), None),
        ("phantom_ge_8ch_7slices.h5", (7, 8, 128, 128), None),
    ],
)
def test_measured_scans_are_fully_sampled_and_show_their_reference(
    shared_data: Path, name: str, shape: tuple[int, int, int, int], voxel_size: object
) -> None:
    scan = open_scan(shared_data / name)
    assert (len(scan), scan.n_coils, *scan.matrix) == shape
    assert (scan.phase_encode_axes, scan.voxel_size) == ((-1,), voxel_size)
    for index in range(len(scan)):
        piece = scan[index]
        assert bool(piece.mask.all()) and piece.noise is None
        assert piece.reference is not None
        root_sum_of_squares = centered_ifft(piece.kspace).abs().square().sum(0).sqrt()
        difference = (root_sum_of_squares - piece.reference).abs().max()
        assert float(difference) < 1e-5 * float(piece.reference.max())


def test_the_poisson_disc_scan_has_two_phase_encodes(shared_data: Path) -> None:
    scan = open_scan(shared_data / "brain_poisson_8ch.h5")
    piece = scan[0]
    assert (len(scan), scan.n_coils, scan.matrix, scan.phase_encode_axes) == (1, 8, (230, 180), (-2, -1))
    assert float(piece.mask.float().mean()) == pytest.approx(1 / 8.04196, rel=1e-5)
    assert not bool(piece.kspace[:, ~piece.mask].any())
    assert bool((piece.kspace[:, piece.mask] != 0).any(0).all())
