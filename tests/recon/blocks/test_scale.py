from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.linop import dot_test
from mri_noise.operators.replay import offset
from mri_noise.recon.blocks.scale import Scale, at_unit_scale, top_magnitude


def images(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


def biased(x: Tensor) -> Tensor:
    """A function that is not homogeneous."""
    return x.conj() * x.abs() + (2 - 1j)


def test_top_magnitude_is_the_smallest_of_the_largest_five_percent() -> None:
    x = images(3, 11, 20)
    for image, got in zip(x, top_magnitude(x), strict=True):
        assert complex(got) == np.sort(image.abs().numpy().ravel())[-11]
    assert complex(top_magnitude(x[0, :1, :2])) == float(x[0, 0, :2].abs().max())


@pytest.mark.parametrize("scale", ["rms", "percentile"])
def test_unit_scale_and_back(scale: Scale) -> None:
    x = images(2, 5, 9) * torch.tensor([3.0, 1e-6])[:, None, None]
    seen: list[Tensor] = []
    result = at_unit_scale(lambda u: seen.append(u) or biased(u), x, scale)
    measure = {"rms": lambda u: u.abs().square().mean().sqrt(), "percentile": lambda u: u.abs().flatten().sort()[0][-2]}
    sizes = torch.stack([measure[scale](image) for image in x])[:, None, None]
    torch.testing.assert_close(seen[0], x / sizes)
    torch.testing.assert_close(result, sizes * biased(x / sizes))
    torch.testing.assert_close(at_unit_scale(biased, 40 * x, scale), 40 * result)


def test_no_scale_is_the_function_itself() -> None:
    x = images(4, 5)
    torch.testing.assert_close(at_unit_scale(biased, x, "none"), biased(x), rtol=0, atol=0)


@pytest.mark.parametrize("scale", ["rms", "percentile"])
@pytest.mark.parametrize("shape", [(5, 6), (2, 4, 7)])
def test_the_scale_is_differentiated(scale: Scale, shape: tuple[int, ...]) -> None:
    function = partial(at_unit_scale, lambda u: offset(u, by=torch.tensor(2 - 1j)), scale=scale)
    x, dx = images(2, *shape)
    _, expected = torch.func.jvp(function, (x,), (dx,))
    jacobian = Jacobian.of_steps(function, x)
    torch.testing.assert_close(jacobian(dx), expected)
    assert torch.linalg.vector_norm(expected - dx) > 0.1  # the derivative of a fixed scale
    assert dot_test(jacobian, torch.Generator().manual_seed(0)) < 1e-13
