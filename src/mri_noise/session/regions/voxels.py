"""What is known of one voxel."""

import math

from mri_noise.readings import error_of_linearising, estimate_of
from mri_noise.result import Result
from mri_noise.session.verdicts import is_doubtful


def voxel_sentence(result: Result, voxel: tuple[int, int]) -> str:
    """Magnitude, noise std, how well that is known, and SNR of a voxel (row, column)."""
    estimate = estimate_of(result)
    value, variance = abs(result.image[voxel].item()), float(estimate.variance_magnitude[voxel])
    where = f"voxel {voxel[0]}, {voxel[1]}: magnitude {value:.3g}"
    if math.isnan(variance):
        return f"{where}; its noise was not computed"
    if variance <= 0:
        return f"{where}, without noise"
    bias = error_of_linearising(result)
    share = 100 * math.hypot(float(estimate.standard_error_magnitude[voxel]) / (2 * variance), bias)
    std = variance**0.5
    known = f" ± {share:.0f} %" if estimate.n_samples > 1 else ""
    known += ", not linear at this noise" if is_doubtful(result) else ""
    return f"{where}, noise std {std:.3g}{known}, SNR {value / std:.3g}"
