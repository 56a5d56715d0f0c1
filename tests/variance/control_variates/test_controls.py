import pytest
import torch
from torch import Tensor

from mri_noise.acquisition.noise import NoiseShaping
from mri_noise.operators.cartesian import Sense
from mri_noise.variance.calibration import CONTROL_TIKHONOV
from mri_noise.variance.control_variates.controls import N_CONTROLS, Controls
from tests.problems import equispaced, problem


def _everywhere(shape: tuple[int, int]) -> Tensor:
    return torch.ones(shape, dtype=torch.bool).nonzero()


def _controls_of(controls: Controls, zero_filled: Tensor) -> Tensor:
    rows, columns = zero_filled.shape[-2:]
    around = controls.beside(torch.view_as_real(controls.sense_image(zero_filled)), _everywhere((rows, columns)))
    return torch.cat([around, zero_filled.flatten(-2).unsqueeze(-2)], dim=-2)


@pytest.mark.parametrize("mask", [equispaced(7, 10, 3, 2), equispaced(9, 6, 2).mT, torch.ones(6, 5, dtype=torch.bool)])
def test_covariance_is_that_of_the_controls(mask: Tensor) -> None:
    p = problem(*mask.shape, 3, mask)
    maps = p.encoding.coil_maps.clone()
    maps[:, 1, 2] = 0
    noise_shaping = NoiseShaping.of(p.noise, mask, torch.complex128)
    controls = Controls.of(Sense(maps, mask), noise_shaping)
    assert controls is not None
    basis = torch.eye(maps.numel(), dtype=torch.complex128).view(-1, *maps.shape)
    matrix = _controls_of(controls, controls.zero_filled(basis)).flatten(2)  # noise, controls, voxels
    dense = torch.einsum("nkv,nlv->vkl", matrix, matrix.conj())
    found = controls.covariance(_everywhere((mask.shape[0], mask.shape[1])))
    assert found.shape == (mask.numel(), N_CONTROLS, N_CONTROLS)
    torch.testing.assert_close(found, dense, rtol=1e-9, atol=1e-9 * float(dense.abs().max()))


def test_covariance_is_that_of_the_rounded_filter() -> None:
    """In single precision the filter is kept with three digits: its covariance is known to six still."""
    p = problem(8, 9, 3, equispaced(8, 9, 2, 3))
    encoding = Sense(p.encoding.coil_maps.to(torch.complex64), p.encoding.mask)
    controls = Controls.of(encoding, NoiseShaping.of(p.noise, encoding.mask, torch.complex64))
    assert controls is not None
    assert controls.filters.dtype == torch.bfloat16
    basis = torch.eye(encoding.coil_maps.numel(), dtype=torch.complex64).view(-1, *encoding.coil_maps.shape)
    matrix = _controls_of(controls, controls.zero_filled(basis)).flatten(2)
    dense = torch.einsum("nkv,nlv->vkl", matrix, matrix.conj())
    found = controls.covariance(_everywhere((8, 9)))
    torch.testing.assert_close(found, dense, rtol=1e-5, atol=1e-5 * float(dense.abs().max()))


def test_the_first_controls_are_those_of_neighbours_and_the_last_is_zero_filled() -> None:
    p = problem(8, 9, 3, equispaced(8, 9, 2, 3))
    controls = Controls.of(p.encoding, NoiseShaping.of(p.noise, p.encoding.mask, torch.complex128))
    assert controls is not None
    image = torch.randn(8, 9, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    fields = _controls_of(controls, image).unflatten(-1, (8, 9))
    assert fields[-1].equal(image)
    own = fields[N_CONTROLS // 2 - 1]
    torch.testing.assert_close(
        p.encoding.normal(own) + CONTROL_TIKHONOV * float(p.encoding.coil_power.max()) * own, image
    )
    torch.testing.assert_close(fields[0, 2:], own[:-2])  # two rows up
    assert not bool(fields[0, :2].any())


def test_masks_of_points_have_none() -> None:
    mask = torch.rand(8, 9, generator=torch.Generator().manual_seed(1)) > 0.5
    p = problem(8, 9, 3, mask)
    assert Controls.of(p.encoding, NoiseShaping.of(p.noise, mask, torch.complex128)) is None
