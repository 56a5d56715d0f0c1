import pytest
import torch

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.varnet import VarNetSettings, combine_coils
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.objectives.kspace import predicted_kspace, require_image_of_maps
from tests.training.tiny import exact, tiny_example


def _varnet(combination: str) -> torch.nn.Module:
    settings = VarNetSettings(
        n_cascades=2, n_channels=2, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1, combination=combination
    )
    return settings().double()


def test_image_of_the_coil_maps_is_encoded() -> None:
    example = tiny_example()
    everywhere = Sense(example.coil_maps, torch.ones_like(example.mask))
    expected = everywhere(exact(example.kspace, example.encoding))
    torch.testing.assert_close(predicted_kspace(exact, example.kspace, example.encoding), expected)


@pytest.mark.parametrize("combination", ["rss", "sense"])
def test_varnet_combines_the_k_space_that_it_predicts(combination: str) -> None:
    network, example = _varnet(combination), tiny_example(16, 19)
    coil_images = centered_ifft(predicted_kspace(network, example.kspace, example.encoding))
    if combination == "rss":
        image = torch.linalg.vector_norm(coil_images, dim=0).to(coil_images.dtype)
    else:
        image = combine_coils(coil_images, network.sens_net(example.kspace, example.mask))
    torch.testing.assert_close(network(example.kspace, example.encoding), image)


def test_varnet_leaves_samples_as_they_are_where_it_predicts_no_change() -> None:
    network, example = _varnet("rss"), tiny_example(16, 19)
    for parameter in network.cascades.parameters():
        torch.nn.init.zeros_(parameter)
    predicted = predicted_kspace(network, example.kspace, example.encoding)
    coil_maps = network.sens_net(example.kspace, example.mask)
    refined = example.kspace
    for _ in range(2):
        mean = combine_coils(centered_ifft(refined), coil_maps).mean((-2, -1), keepdim=True)
        refined = refined - centered_fft(coil_maps * mean)
    torch.testing.assert_close(predicted, refined)


@pytest.mark.parametrize("make", [UNetSettings(in_channels=1, n_channels=2, n_pools=1), VarNetSettings(n_cascades=1)])
def test_networks_without_an_image_of_the_maps_are_refused(make: UNetSettings | VarNetSettings) -> None:
    network: Reconstructor = make()
    with pytest.raises(ValueError, match=r"in_channels to 2|maps of its own"):
        require_image_of_maps(network)
