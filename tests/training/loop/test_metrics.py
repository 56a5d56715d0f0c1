import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from mri_noise.training.loop.metrics import quality


def pair(rows: int = 20, columns: int = 17) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target, error = torch.randn(2, rows, columns, generator=generator, dtype=torch.complex128)
    return target + 0.3 * error, target


def region(rows: int = 20, columns: int = 17) -> torch.Tensor:
    return torch.arange(rows)[:, None] + torch.arange(columns) < 18


@pytest.mark.parametrize("inside", [None, region()])
def test_error_and_peak_are_those_of_the_definition(inside: torch.Tensor | None) -> None:
    image, target = pair()
    kept = torch.ones(20, 17, dtype=torch.bool) if inside is None else inside
    x, reference = image.abs()[kept].numpy(), target.abs()[kept].numpy()
    found = quality(image, target, inside)
    error = np.sqrt(np.mean((x - reference) ** 2))
    assert found.nrmse == pytest.approx(error / np.sqrt(np.mean(reference**2)), rel=1e-12)
    assert found.psnr == pytest.approx(20 * np.log10(reference.max() / error), rel=1e-6)


@pytest.mark.parametrize("inside", [None, region()])
def test_structural_similarity_is_that_of_the_paper(inside: torch.Tensor | None) -> None:
    image, target = pair()
    kept = np.ones((20, 17), dtype=bool) if inside is None else inside.numpy()
    x, y = image.abs().numpy(), target.abs().numpy()

    def mean(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, 1.5, mode="mirror", radius=5)

    c1, c2 = ((k * y[kept].max()) ** 2 for k in (0.01, 0.03))
    covariance = mean(x * y) - mean(x) * mean(y)
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    similarity = (2 * mean(x) * mean(y) + c1) * (2 * covariance + c2)
    similarity /= (mean(x) ** 2 + mean(y) ** 2 + c1) * (variances + c2)
    assert quality(image, target, inside).ssim == pytest.approx(similarity[kept].mean(), rel=1e-9)


def test_a_perfect_image_up_to_its_phase() -> None:
    _, target = pair()
    found = quality(target * 1j, target)
    assert found.ssim == pytest.approx(1)
    assert found.nrmse == pytest.approx(0, abs=1e-15)
    assert found.psnr > 300


def test_units_do_not_matter() -> None:
    image, target = pair()
    a, b = quality(image, target), quality(1e6 * image, 1e6 * target)
    assert (a.ssim, a.nrmse) == pytest.approx((b.ssim, b.nrmse), rel=1e-9)
    assert a.psnr == pytest.approx(b.psnr, rel=1e-6)  # torchmetrics keeps the peak in single precision


def test_a_target_of_zeros_is_refused() -> None:
    image, target = pair()
    with pytest.raises(ValueError, match="zero everywhere in its region"):
        quality(image, target, torch.zeros(20, 17, dtype=torch.bool))
    with pytest.raises(ValueError, match="zero everywhere in its region"):
        quality(image, 0 * target)
    with pytest.raises(ValueError, match=r"at least 6 voxels along each axis, got \(5, 17\)"):
        quality(image[:5], target[:5])
    assert math.isfinite(quality(0 * image, target).psnr)
