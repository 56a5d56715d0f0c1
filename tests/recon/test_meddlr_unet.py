import pytest
import torch

from mri_noise.recon.meddlr_unet import MeddlrUNetSettings
from mri_noise.recon.reconstructor import Reconstructor
from tests.problems import problem
from tests.recon import references


@pytest.mark.parametrize(("shape", "scale"), [((9, 6, 2), "percentile"), ((8, 7, 2), "rms"), ((5, 8, 1), "none")])
def test_jacobian_is_exact(shape: tuple[int, int, int], scale: str) -> None:
    p = problem(*shape)
    network = MeddlrUNetSettings.parse({"n_channels": 2, "n_pools": 2, "scale": scale})().double()
    assert isinstance(network, Reconstructor)
    references.assert_jacobian_is_exact(network, p.kspace, p.encoding)


def test_leading_axes_are_independent_and_scale_is_undone() -> None:
    p = problem(10, 9, 2)
    network = MeddlrUNetSettings(n_channels=2, n_pools=1)().double()
    generator = torch.Generator().manual_seed(4)
    kspace = torch.randn(2, 2, *p.kspace.shape, dtype=torch.complex128, generator=generator)
    image = network(kspace, p.encoding)
    one_by_one = torch.stack([network(k, p.encoding) for k in kspace.flatten(0, 1)])
    torch.testing.assert_close(image.flatten(0, 1), one_by_one)
    torch.testing.assert_close(network(1e-5 * kspace, p.encoding), 1e-5 * image, atol=0, rtol=1e-7)


def test_weights_come_from_the_seed_alone() -> None:
    choice = MeddlrUNetSettings(n_channels=2, n_pools=1)
    torch.testing.assert_close(choice().state_dict(), choice().state_dict(), rtol=0, atol=0)
    other = choice.model_copy(update={"seed": 1})()
    assert not torch.equal(choice().unet.conv.layers[0].weight, other.unet.conv.layers[0].weight)
