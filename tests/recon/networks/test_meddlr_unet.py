import pytest
import torch

from mri_noise.recon.networks.meddlr_unet import MeddlrUNetSettings
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
    references.assert_leading_axes_are_independent_and_scale_is_undone(network, p.encoding)


def test_weights_come_from_the_seed_alone() -> None:
    choice = MeddlrUNetSettings(n_channels=2, n_pools=1)
    torch.testing.assert_close(choice().state_dict(), choice().state_dict(), rtol=0, atol=0)
    other = choice.model_copy(update={"seed": 1})()
    assert not torch.equal(choice().unet.conv.layers[0].weight, other.unet.conv.layers[0].weight)
