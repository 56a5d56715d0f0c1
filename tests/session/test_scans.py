from dataclasses import replace

import numpy as np
import torch

from mri_noise.acquisition.masks import AsAcquired, Equispaced
from mri_noise.acquisition.sampled import without_gaps
from mri_noise.session.scans import (
    COILS,
    COMBINED,
    KSPACE,
    MAPS,
    as_array,
    sampled_points,
    suggested_undersampling,
)
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


def test_ends_that_were_not_acquired_leave_no_gaps() -> None:
    partial, padded, ellipse, two = torch.ones(4, 32, 28, dtype=torch.bool)
    partial[:, :9] = False
    padded[:4], padded[-3:], padded[:, -2:] = False, False, False
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 28), indexing="ij")
    ellipse &= x**2 + y**2 <= 1
    two[:, 3], two[:, 5] = False, False
    for mask in (partial, padded, ellipse):
        assert without_gaps(mask)
        assert suggested_undersampling(replace(SLICE, mask=mask), 4.0) == Equispaced(acceleration=4.0)
    for mask in (two, two.mT):
        assert not without_gaps(mask)
    single = torch.ones(4, 4, dtype=torch.bool)
    single[1, 2] = False
    assert not without_gaps(single)
    assert without_gaps(torch.zeros(4, 4, dtype=torch.bool))


def test_what_is_kept_is_counted_of_what_was_acquired() -> None:
    acquired = Equispaced(acceleration=2, n_calibration=0)((32, 28), (1,))
    points = sampled_points(replace(SLICE, mask=acquired), Equispaced(acceleration=4, n_calibration=0), (1,))
    assert torch.equal(points.acquired, acquired)
    assert int(points.kept.sum()) == 32 * 7
    assert points.words == "R = 4.00 (acquired 2.00)\nkeeps 50 % of what was acquired\n32 x 28 points"
    as_it_is = sampled_points(replace(SLICE, mask=acquired), AsAcquired(), (1,))
    assert as_it_is.words == "R = 2.00 (acquired 2.00)\nkeeps all that was acquired\n32 x 28 points"
    assert sampled_points(SLICE, AsAcquired(), (1,)).words.startswith("R = 1.00\nkeeps all")
    beside = Equispaced(acceleration=2, n_calibration=0, offset=1)
    assert "keeps nothing" in sampled_points(replace(SLICE, mask=acquired), beside, (1,)).words
