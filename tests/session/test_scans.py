from dataclasses import replace

import numpy as np
import torch

from mri_noise.masks import AsAcquired, Equispaced
from mri_noise.session.scans import COILS, COMBINED, KSPACE, MAPS, as_array, suggested_undersampling
from tests.session.examples import OPENED

SLICE = OPENED.scan[1]


def test_views_of_a_slice() -> None:
    assert torch.equal(torch.from_numpy(as_array(KSPACE, SLICE)), SLICE.kspace)
    coils = as_array(COILS, SLICE)
    assert coils.shape == (4, 32, 28)
    assert np.allclose(as_array(COMBINED, SLICE), np.sqrt((np.abs(coils) ** 2).sum(0)), rtol=1e-5)
    assert np.allclose(np.linalg.norm(coils), np.linalg.norm(SLICE.kspace), rtol=1e-5)


def test_coil_maps_come_from_the_file_or_are_estimated() -> None:
    assert np.array_equal(as_array(MAPS, SLICE), SLICE.coil_maps)
    estimated = as_array(MAPS, replace(SLICE, coil_maps=None))
    power = (np.abs(estimated) ** 2).sum(0)
    assert np.allclose(power[power > 0], 1, atol=1e-5)


def test_a_scan_that_holds_all_of_kspace_is_undersampled() -> None:
    assert suggested_undersampling(SLICE, 4.0) == Equispaced(acceleration=4.0)
    assert suggested_undersampling(SLICE, 1.0) == AsAcquired()
    part = replace(SLICE, mask=Equispaced(acceleration=2)(tuple(SLICE.mask.shape), (1,)))
    assert suggested_undersampling(part, 4.0) == AsAcquired()
