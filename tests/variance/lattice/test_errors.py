"""Predicted standard errors, against exact ones."""

import pytest
import torch

from mri_noise.variance.lattice.errors import predicted_error
from mri_noise.variance.plan import Lattice, Plan
from tests.variance.operators import Dense, random_region

LATTICE = Lattice(2, 4, 1)


def uneven_operator(rows: int, columns: int, generator: torch.Generator) -> tuple[Dense, torch.Tensor]:
    """Noise that is correlated over the whole image, ten times louder in its right half; and an image."""
    size = (rows * columns, rows * columns)
    p, q = (torch.randn(size, generator=generator, dtype=torch.complex128) for _ in range(2))
    gains = torch.ones(rows, columns, dtype=torch.float64)
    gains[:, columns // 2 :] = 10
    image = torch.randn(rows, columns, generator=generator, dtype=torch.complex128)
    return Dense(gains.flatten()[:, None] * p, gains.flatten()[:, None] * q, (rows, columns)), image


def test_quiet_voxels_take_errors_from_loud_ones() -> None:
    """In both halves the mean square of the exact error is that of the predicted one, within four standard errors."""
    rows, columns = 20, 24
    operator, image = uneven_operator(rows, columns, torch.Generator().manual_seed(0))
    covariance = operator.magnitude_covariance(image)
    colours = LATTICE.colours((rows, columns)).flatten()
    together = (colours[:, None] == colours) & ~torch.eye(len(colours), dtype=torch.bool)
    variance, squared = covariance.diagonal(), (covariance.square() * together).sum(1)
    nrmse = float((squared / variance).sum() / (4 * variance.sum())) ** 0.5
    plan = Plan(LATTICE, 1, nrmse, nrmse, 6, 0.1, 2)
    predicted = predicted_error(variance.reshape(rows, columns), plan)
    ratio = squared.reshape(rows, columns) / predicted.square()
    for half in (ratio[:, : columns // 2 - 4], ratio[:, columns // 2 + 4 :]):  # the mean of neighbours is not blurred
        assert abs(float(half.mean()) - 1) < 4 * float(half.std()) / half.numel() ** 0.5


@pytest.mark.parametrize("reach", [None, 4])
def test_the_errors_of_all_voxels_add_up_to_that_of_the_plan(reach: int | None) -> None:
    generator = torch.Generator().manual_seed(1)
    region = random_region(14, 15, generator)
    variance = torch.where(region, 2.0, torch.nan)
    error = predicted_error(variance, Plan(LATTICE, 1, 0.03, 0.04, 6, 0.1, 2, reach=reach))
    assert torch.equal(torch.isfinite(error), region)
    nrmse = float((error[region].square() / variance[region]).sum() / (4 * variance[region].sum())) ** 0.5
    assert nrmse == pytest.approx(0.03)


def test_a_voxel_that_is_probed_alone_has_no_error() -> None:
    variance = torch.full((3, 4), torch.nan)
    variance[1, 1:3] = 5.0
    error = predicted_error(variance, Plan(Lattice(3, 4, 0), 1, 0.03, 0.04, 6, 0.1, 2))
    assert error[1, 1:3].tolist() == [0, 0]
    assert torch.isnan(error).sum() == 10
