import pytest
import torch

from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian
from mri_noise.variance.readout import contrast_noise, region_noise, voxel_correlation, voxel_covariance
from mri_noise.variance.sampling.exact import covariance
from tests.problems import point_of, problem
from tests.variance.test_sampling import Curved


@pytest.fixture(scope="module")
def point() -> OperatingPoint:
    return point_of(problem(), Curved())


@pytest.fixture(scope="module")
def operator(point: OperatingPoint) -> LinearOperator:
    return noise_jacobian(point, chunk=4)


@pytest.fixture(scope="module")
def dense(point: OperatingPoint, operator: LinearOperator) -> torch.Tensor:
    return covariance(operator, point.image)


def _region(rows: slice, columns: slice) -> torch.Tensor:
    region = torch.zeros(9, 12, dtype=torch.bool)
    region[rows, columns] = True
    return region


def _variance(dense: torch.Tensor, weights: torch.Tensor) -> float:
    """Var(Re <w, x>) by the dense covariance of (real, imaginary) parts."""
    w = torch.cat([weights.real.flatten(), weights.imag.flatten()])
    return float(w @ dense @ w)


def test_region_mean(point: OperatingPoint, operator: LinearOperator, dense: torch.Tensor) -> None:
    region = _region(slice(2, 6), slice(3, 9))
    noise = region_noise(operator, point.image, region)
    average = region.to(torch.complex128) / 24
    expected = _variance(dense, average) + _variance(dense, 1j * average)
    assert noise.standard_deviation**2 == pytest.approx(expected, rel=1e-5)
    along = unit_phase(point.image) * average
    assert noise.standard_deviation_magnitude**2 == pytest.approx(_variance(dense, along), rel=1e-5)
    assert noise.n_voxels == 24
    assert noise.mean == pytest.approx(complex(point.image[region].mean()))
    assert noise.mean_magnitude == pytest.approx(float(point.image[region].abs().mean()))


def test_the_error_bar_is_not_the_average_of_voxel_variances(
    point: OperatingPoint, operator: LinearOperator, dense: torch.Tensor
) -> None:
    region = _region(slice(2, 6), slice(3, 9))
    n = point.image.numel()
    per_voxel = (dense.diagonal()[:n] + dense.diagonal()[n:])[region.flatten()]
    independent = float(per_voxel.sum()) / 24**2
    assert abs(region_noise(operator, point.image, region).standard_deviation ** 2 / independent - 1) > 0.05


def test_contrast_of_two_regions(point: OperatingPoint, operator: LinearOperator, dense: torch.Tensor) -> None:
    first, second = _region(slice(0, 3), slice(0, 4)), _region(slice(5, 9), slice(6, 12))
    noise = contrast_noise(operator, point.image, first, second)
    weights = unit_phase(point.image) * (first.double() / 12 - second.double() / 24)
    assert noise.standard_deviation**2 == pytest.approx(_variance(dense, weights), rel=1e-5)
    expected = float(point.image[first].abs().mean() - point.image[second].abs().mean())
    assert noise.difference == pytest.approx(expected)


@pytest.mark.parametrize("voxel", [(0, 0), (4, 7), (8, 11)])
def test_voxel_correlation(
    point: OperatingPoint, operator: LinearOperator, dense: torch.Tensor, voxel: tuple[int, int]
) -> None:
    phase = unit_phase(point.image).flatten()
    along = torch.cat([torch.diag(phase.real), torch.diag(phase.imag)], dim=1)
    magnitude = along @ dense @ along.T
    index = voxel[0] * 12 + voxel[1]
    got = voxel_covariance(operator, point.image, voxel)
    torch.testing.assert_close(got.flatten(), magnitude[index], rtol=1e-5, atol=1e-12)
    sigma = magnitude.diagonal().sqrt()
    correlation = voxel_correlation(got, voxel, magnitude.diagonal().view(9, 12))
    torch.testing.assert_close(correlation.flatten(), magnitude[index] / sigma[index] / sigma, rtol=1e-5, atol=1e-9)
    assert correlation[voxel] == pytest.approx(1)


def test_an_empty_region_is_refused(point: OperatingPoint, operator: LinearOperator) -> None:
    with pytest.raises(ValueError, match="the region holds no voxel"):
        region_noise(operator, point.image, torch.zeros(9, 12, dtype=torch.bool))


def test_a_voxel_outside_is_refused(point: OperatingPoint, operator: LinearOperator) -> None:
    with pytest.raises(IndexError, match=r"voxel \(9, 0\) is outside the image of \(9, 12\)"):
        voxel_covariance(operator, point.image, (9, 0))
