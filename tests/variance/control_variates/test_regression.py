import pytest
import torch
from torch import Tensor

from mri_noise.variance.control_variates.regression import local_coefficients


def _samples(n: int, n_voxels: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, 3, n_voxels, generator=generator, dtype=torch.complex128)


def _follow(coefficients: Tensor, controls: Tensor) -> Tensor:
    return torch.einsum("ckv,nkv->ncv", coefficients, controls).real


def _learned(
    channels: Tensor, controls: Tensor, scale: Tensor, neighbour: float, region: Tensor | None = None
) -> Tensor:
    region = torch.ones(scale.shape, dtype=torch.bool) if region is None else region
    return local_coefficients(channels, lambda numbers: controls[..., numbers], region, scale, neighbour=neighbour)


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (20, 30)])
def test_what_controls_explain_is_found(shape: tuple[int, int]) -> None:
    """Coefficients that do not vary are found exactly, but for the ridge, from few samples."""
    generator = torch.Generator().manual_seed(0)
    region = torch.ones(shape, dtype=torch.bool)
    region[0, :3] = False
    n_voxels = int(region.sum())
    true = torch.randn(2, 3, 1, generator=generator, dtype=torch.complex128).expand(-1, -1, n_voxels)
    controls = _samples(6, n_voxels, generator)
    scale = 0.5 + torch.rand(shape, generator=generator, dtype=torch.float64)
    found = _learned(_follow(true, controls), controls, scale, 0.5, region)
    torch.testing.assert_close(found, true, rtol=5e-3, atol=5e-3)


def test_neighbours_count_by_their_weight() -> None:
    """The coefficient of one voxel is that of dense least squares over it and its neighbours, each with its weight."""
    generator = torch.Generator().manual_seed(0)
    controls, channels = _samples(20, 9, generator), torch.randn(20, 1, 9, generator=generator, dtype=torch.float64)
    found = _learned(channels, controls, torch.ones(3, 3), 0.5)[0, :, 4]
    weights = torch.tensor([0.25, 0.5, 0.25, 0.5, 1.0, 0.5, 0.25, 0.5, 0.25], dtype=torch.float64).sqrt()
    x = (torch.cat([controls.real, controls.imag], 1) * weights).permute(0, 2, 1).flatten(0, 1)
    real, imaginary = torch.linalg.lstsq(x, (channels[:, 0] * weights).reshape(-1, 1)).solution[:, 0].chunk(2)
    torch.testing.assert_close(found, torch.complex(real, -imaginary), rtol=1e-3, atol=1e-3)


def test_coefficients_follow_the_place() -> None:
    """Two halves of an image: voxels that do not touch their border have those of their half, others a mixture."""
    generator = torch.Generator().manual_seed(0)
    true = torch.ones(1, 3, 8, 16, dtype=torch.complex128)
    true[..., 8:] = -1j
    controls = _samples(20, 128, generator)
    channels = _follow(true.flatten(2), controls)
    found = _learned(channels, controls, torch.ones(8, 16), 0.5).unflatten(-1, (8, 16))
    for part in (slice(0, 7), slice(9, 16)):
        torch.testing.assert_close(found[..., part], true[..., part], rtol=1e-3, atol=1e-3)
    assert (found - true)[..., 7:9].abs().mean() > 0.1
    alone = _learned(channels, controls, torch.ones(8, 16), 0.0).unflatten(-1, (8, 16))
    torch.testing.assert_close(alone, true, rtol=1e-3, atol=1e-3)


def test_voxels_of_no_noise_have_no_say() -> None:
    generator = torch.Generator().manual_seed(0)
    scale = torch.ones(4, 6)
    scale[:, 3:] = 0
    controls = _samples(8, 24, generator)
    channels = controls[:, :1].real.clone().unflatten(-1, (4, 6))
    channels[..., 3:] = 1e3
    found = _learned(channels.flatten(2), controls, scale, 1.0)[0, 0].unflatten(-1, (4, 6))
    torch.testing.assert_close(found[:, :3], torch.ones(4, 3, dtype=torch.complex128), rtol=1e-3, atol=1e-3)
    assert not bool(found[:, 4:].any())
