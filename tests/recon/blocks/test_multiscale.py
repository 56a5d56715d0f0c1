import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from mri_noise.recon.blocks.fastmri_unet import seeded
from mri_noise.recon.blocks.multiscale import MultiscaleDenoiser, haar, inverse_haar
from tests.recon.references import multiscale

WIDTHS = (3, 4, 5)


def _denoiser(widths: tuple[int, ...] = WIDTHS) -> MultiscaleDenoiser:
    """A network in double precision whose biases count."""
    with seeded(1):
        network = MultiscaleDenoiser(widths).double()
        for weight in network.parameters():
            weight.data.add_(0.1 * torch.randn(weight.shape))
    return network.requires_grad_(False)


def _images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(8, 16), (7, 10), (1, 3)])
@pytest.mark.parametrize("widths", [(3,), WIDTHS])
def test_equals_its_equations(shape: tuple[int, int], widths: tuple[int, ...]) -> None:
    network = _denoiser(widths)
    image, earlier = _images(2, *shape)
    expected = multiscale(network.state_dict(), "", widths, image, earlier)
    torch.testing.assert_close(network(image, earlier), expected)


def test_leading_axes_are_independent() -> None:
    network, images, earlier = _denoiser(), _images(2, 3, 9, 6), _images(2, 3, 9, 6, seed=1)
    one_by_one = [network(a, b) for a, b in zip(images.flatten(0, 1), earlier.flatten(0, 1), strict=True)]
    torch.testing.assert_close(network(images, earlier).flatten(0, 1), torch.stack(one_by_one))


def test_a_correction_is_of_the_size_of_the_finest_detail() -> None:
    """The coarse image enters in its own unit; with biases of zero and without it, all scales with the details."""
    network = _denoiser()
    for name, weight in network.named_parameters():
        if name.endswith("bias"):
            weight.zero_()
    network.first.weight[:, :2] = 0  # the coarse image, real and imaginary
    smooth = F.interpolate(torch.view_as_real(_images(1, 1)).permute(2, 0, 1)[None], (16, 16), mode="nearest")[0]
    smooth = torch.complex(smooth[0], smooth[1])
    details = inverse_haar(haar(_images(16, 16)) * torch.tensor([0, 1, 1, 1])[:, None, None])
    weak, strong = (network(smooth + 100 * f * details, smooth) - smooth - 100 * f * details for f in (1, 10))
    torch.testing.assert_close(strong, 10 * weak, rtol=1e-4, atol=1e-6)


def test_an_empty_image_stays_finite() -> None:
    empty = torch.zeros(8, 8, dtype=torch.complex128)
    assert _denoiser()(empty, empty).isfinite().all()


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 99))
def test_haar_coefficients_are_orthonormal_and_lead_back(rows: int, columns: int, seed: int) -> None:
    image = _images(2, 2 * rows, 2 * columns, seed=seed)
    bands = haar(image)
    assert bands.shape == (2, 4, rows, columns)
    torch.testing.assert_close(bands.norm(), image.norm())
    torch.testing.assert_close(inverse_haar(bands), image)


def test_a_constant_image_has_one_band() -> None:
    bands = haar(torch.ones(4, 6, dtype=torch.complex128))
    torch.testing.assert_close(bands.abs().amax((-2, -1)), torch.tensor([2.0, 0, 0, 0], dtype=torch.float64))
