import pytest
import torch
from torch import Tensor

from mri_noise.variance.regression import LocalRegression


def _samples(n: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    return torch.randn(n, 3, *shape, generator=generator, dtype=torch.complex128)


def _follow(coefficients: Tensor, controls: Tensor) -> Tensor:
    return torch.einsum("ckyx,nkyx->ncyx", coefficients, controls).real


@pytest.mark.parametrize("shape", [(6, 8), (5, 7)])
def test_what_controls_explain_is_found(shape: tuple[int, int]) -> None:
    """Coefficients that do not vary are found exactly, but for the ridge, from few samples and in batches."""
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(2, 3, 1, 1, generator=generator, dtype=torch.complex128).expand(-1, -1, *shape)
    region = torch.ones(shape, dtype=torch.bool)
    region[0, :3] = False
    regression = LocalRegression(region, 0.5 + torch.rand(shape, generator=generator, dtype=torch.float64))
    for n in (1, 3, 2):
        controls = _samples(n, shape, generator)
        regression.add(_follow(true, controls), controls)
    found = regression.solve(neighbour=0.5)
    assert found.shape == (2, 3, *shape)
    torch.testing.assert_close(found[..., region], true[..., region], rtol=5e-3, atol=5e-3)


def test_coefficients_follow_the_place() -> None:
    """Two halves of an image: a few voxels from their border each has its own."""
    generator = torch.Generator().manual_seed(0)
    true = torch.ones(1, 3, 8, 16, dtype=torch.complex128)
    true[..., 8:] = -1j
    regression = LocalRegression(torch.ones(8, 16, dtype=torch.bool), torch.ones(8, 16))
    controls = _samples(8, (8, 16), generator)
    regression.add(_follow(true, controls), controls)
    found = regression.solve(neighbour=0.5)
    for part in (slice(0, 6), slice(10, 16)):
        torch.testing.assert_close(found[..., part], true[..., part], rtol=1e-3, atol=1e-3)


def test_voxels_outside_the_region_have_no_say_and_no_coefficients_far_away() -> None:
    generator = torch.Generator().manual_seed(0)
    region = torch.zeros(8, 12, dtype=torch.bool)
    region[:, :4] = True
    controls = _samples(4, (8, 12), generator)
    channels = controls[:, :1].real.clone()
    channels[..., 4:] = 1e3
    regression = LocalRegression(region, torch.ones(8, 12))
    regression.add(channels, controls)
    found = regression.solve(neighbour=0.5)
    torch.testing.assert_close(found[0, 0][region], torch.ones(32, dtype=torch.complex128), rtol=1e-3, atol=1e-3)
    assert not bool(found[..., 8:].any())


def test_without_samples_there_is_nothing_to_solve() -> None:
    with pytest.raises(ValueError, match="no samples"):
        LocalRegression(torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 2)).solve(neighbour=0.0)
