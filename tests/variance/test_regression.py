import pytest
import torch
from torch import Tensor

from mri_noise.variance.regression import LocalRegression


def _samples(n: int, n_voxels: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, 3, n_voxels, generator=generator, dtype=torch.complex128)


def _follow(coefficients: Tensor, controls: Tensor) -> Tensor:
    return torch.einsum("ckv,nkv->ncv", coefficients, controls).real


@pytest.mark.parametrize("shape", [(6, 8), (5, 7)])
def test_what_controls_explain_is_found(shape: tuple[int, int]) -> None:
    """Coefficients that do not vary are found exactly, but for the ridge, from few samples and in batches."""
    generator = torch.Generator().manual_seed(0)
    region = torch.ones(shape, dtype=torch.bool)
    region[0, :3] = False
    n_voxels = int(region.sum())
    true = torch.randn(2, 3, 1, generator=generator, dtype=torch.complex128).expand(-1, -1, n_voxels)
    regression = LocalRegression(region, 0.5 + torch.rand(shape, generator=generator, dtype=torch.float64))
    for n in (1, 3, 2):
        controls = _samples(n, n_voxels, generator)
        regression.add(_follow(true, controls), controls)
    found = regression.solve(neighbour=0.5)
    torch.testing.assert_close(found, true, rtol=5e-3, atol=5e-3)


def test_coefficients_follow_the_place() -> None:
    """Two halves of an image: voxels that do not touch their border have those of their half, others a mixture."""
    generator = torch.Generator().manual_seed(0)
    true = torch.ones(1, 3, 8, 16, dtype=torch.complex128)
    true[..., 8:] = -1j
    regression = LocalRegression(torch.ones(8, 16, dtype=torch.bool), torch.ones(8, 16))
    controls = _samples(20, 128, generator)
    regression.add(_follow(true.flatten(2), controls), controls)
    found = regression.solve(neighbour=0.5).unflatten(-1, (8, 16))
    for part in (slice(0, 7), slice(9, 16)):
        torch.testing.assert_close(found[..., part], true[..., part], rtol=1e-3, atol=1e-3)
    assert (found - true)[..., 7:9].abs().mean() > 0.1
    alone = regression.solve(neighbour=0.0).unflatten(-1, (8, 16))
    torch.testing.assert_close(alone, true, rtol=1e-3, atol=1e-3)


def test_voxels_of_no_noise_have_no_say() -> None:
    generator = torch.Generator().manual_seed(0)
    scale = torch.ones(4, 6)
    scale[:, 3:] = 0
    controls = _samples(8, 24, generator)
    channels = controls[:, :1].real.clone().unflatten(-1, (4, 6))
    channels[..., 3:] = 1e3
    regression = LocalRegression(torch.ones(4, 6, dtype=torch.bool), scale)
    regression.add(channels.flatten(2), controls)
    found = regression.solve(neighbour=1.0)[0, 0].unflatten(-1, (4, 6))
    torch.testing.assert_close(found[:, :3], torch.ones(4, 3, dtype=torch.complex128), rtol=1e-3, atol=1e-3)
    assert not bool(found[:, 4:].any())


def test_without_samples_there_is_nothing_to_solve() -> None:
    with pytest.raises(ValueError, match="no samples"):
        LocalRegression(torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 2)).solve(neighbour=0.0)
