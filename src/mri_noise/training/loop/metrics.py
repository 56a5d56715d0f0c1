"""How close a magnitude image is to its target."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from mri_noise.arrays import Image, Mask


@dataclass(frozen=True, slots=True)
class Quality:
    """How close a magnitude image is to its target.

    Attributes
    ----------
    psnr
        Peak signal-to-noise ratio [dB]; the peak is the target's.
    ssim
        Structural similarity, 1 for equal images.
    nrmse
        Root mean square of the error over that of the target.
    """

    psnr: float
    ssim: float
    nrmse: float


def quality(image: Image, target: Image, region: Mask | None = None) -> Quality:
    """Compare the magnitudes of two images of shape (rows, columns), everywhere or inside a region.

    The structural similarity has the windows of its paper, Gaussian with a standard deviation of 1.5 voxels, and the
    target's peak as its range; windows at the border see the image mirrored, those at the border of the region see
    beyond it.

    Source: Wang 2004, doi:10.1109/TIP.2003.819861.

    Raises
    ------
    ValueError
        If the region is empty, the target is zero in it, or a side has fewer than 6 voxels.
    """
    x, reference = image.abs(), target.abs()
    inside = torch.ones_like(reference, dtype=torch.bool) if region is None else region
    peak = _peak(reference[inside])
    return Quality(
        psnr=float(peak_signal_noise_ratio(x[inside], reference[inside], data_range=peak)),
        ssim=float(_similarity(x, reference, peak)[inside].mean()),
        nrmse=float((x - reference)[inside].norm() / reference[inside].norm()),
    )


def _peak(values: Tensor) -> float:
    peak = float(values.max()) if values.numel() else 0.0
    if not peak > 0:
        raise ValueError(
            "the target of a comparison should not be zero everywhere in its region; choose another region"
        )
    return peak


def _similarity(x: Tensor, reference: Tensor, peak: float) -> Tensor:
    """Structural similarity around each voxel."""
    if min(x.shape) < 6:
        raise ValueError(f"structural similarity needs at least 6 voxels along each axis, got {tuple(x.shape)}")
    similarity = structural_similarity_index_measure(
        x[None, None], reference[None, None], data_range=peak, return_full_image=True
    )
    return similarity[1][0, 0]
