from dataclasses import replace

import torch

from mri_noise.readings import estimate_of
from mri_noise.session.regions.voxels import voxel_sentence
from tests.session.examples import steps

RESULT = steps()[-1].result


def test_value_noise_confidence_and_snr_are_said() -> None:
    estimate, voxel = estimate_of(RESULT), (16, 14)
    value, std = float(RESULT.image[voxel].abs()), float(estimate.variance_magnitude[voxel]) ** 0.5
    share = 100 * float(estimate.standard_error_magnitude[voxel]) / (2 * std**2)
    expected = f"magnitude {value:.3g}, noise std {std:.3g} ± {share:.0f} %, SNR {value / std:.3g}"
    assert voxel_sentence(RESULT, voxel) == f"voxel 16, 14: {expected}"


def test_a_voxel_without_noise() -> None:
    estimate = estimate_of(RESULT)
    none = torch.zeros_like(estimate.variance_magnitude)
    silent = replace(RESULT, estimate=estimate.with_channel("magnitude", none, estimate.standard_error_magnitude))
    assert voxel_sentence(silent, (0, 0)).endswith("without noise")


def test_a_voxel_whose_noise_was_not_computed() -> None:
    estimate = estimate_of(RESULT)
    unknown = torch.full_like(estimate.variance_magnitude, torch.nan)
    result = replace(RESULT, estimate=estimate.with_channel("magnitude", unknown, unknown))
    assert voxel_sentence(result, (0, 0)).endswith("its noise was not computed")
