from dataclasses import replace

import pytest
import torch

from mri_noise.acquisition.coils import LowResolution
from mri_noise.acquisition.scan import Scan, shown_centre
from mri_noise.experiment import Experiment
from mri_noise.operators.fourier import central
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, prepare
from tests.problems import equispaced

SCAN = Phantom(matrix=(32, 28), n_coils=4, n_slices=1)()
MASK = equispaced(32, 28, 2, offset=1)


def _block(rows: int, columns: int) -> torch.Tensor:
    return SCAN[0].kspace[:, central(32, rows), central(28, columns)].contiguous()


def _with_calibration(calibration: torch.Tensor | None) -> Scan:
    piece = replace(SCAN[0], kspace=SCAN[0].kspace * MASK, mask=MASK, calibration=calibration)
    return replace(SCAN, read=lambda _index: piece, fingerprint=f"shown {None if calibration is None else 1}")


@pytest.mark.parametrize("shape", [(16, 12), (32, 11), (15, 28)])
def test_the_centre_that_a_slice_shows_elsewhere_lies_in_the_middle(shape: tuple[int, int]) -> None:
    piece = _with_calibration(_block(*shape))[0]
    centre, sampled = shown_centre(piece, piece.kspace, piece.mask)
    assert int(sampled.sum()) == shape[0] * shape[1]
    assert torch.equal(centre, SCAN[0].kspace * sampled)


def test_a_calibration_larger_than_the_matrix_is_cut() -> None:
    piece = replace(SCAN[0], calibration=torch.nn.functional.pad(SCAN[0].kspace, (2, 2, 3, 3)))
    centre, sampled = shown_centre(piece, piece.kspace, piece.mask)
    assert bool(sampled.all()) and torch.equal(centre, piece.kspace)


def test_without_a_calibration_a_slice_shows_its_own_centre() -> None:
    piece = SCAN[0]
    assert shown_centre(piece, piece.kspace, piece.mask) == (piece.kspace, piece.mask)


def test_coil_maps_are_calibrated_on_what_the_file_shows_elsewhere() -> None:
    experiment = Experiment(coils=LowResolution(n_calibration=12))
    with pytest.raises(ValueError, match="coil calibration needs"):
        prepare(_with_calibration(None), experiment, 0, StageCache())
    separate = prepare(_with_calibration(_block(24, 24)), experiment, 0, StageCache())
    whole = prepare(SCAN, experiment, 0, StageCache())
    assert torch.equal(separate.encoding.coil_maps, whole.encoding.coil_maps)
    assert torch.equal(separate.encoding.mask, MASK)
