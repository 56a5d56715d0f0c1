from typing import Any

import pytest
import torch

from mri_noise.recon.blocks.denoiser import DenoiserChoice, in_turn, make_denoisers
from mri_noise.recon.blocks.multiscale import MultiscaleDenoiser
from mri_noise.recon.blocks.resnet import ResidualCNN
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet_image import ImageVarNetSettings
from tests.problems import equispaced, problem
from tests.recon import references

CHOICES = [
    UnrolledSettings(n_steps=3, denoiser="multiscale", widths=(3, 4)),
    UnrolledSettings(n_steps=3, n_blocks=1, n_features=3),
    MoDLSettings(n_steps=3, denoiser="multiscale", widths=(3, 4)),
    MoDLSettings(n_steps=3, denoiser="residual", n_blocks=1, n_features=3),
    ImageVarNetSettings(n_cascades=3, widths=(3, 4), sensitivity_n_channels=2, sensitivity_n_pools=1),
]
P = problem(6, 9, 3, equispaced(6, 9, 2, 2))


@pytest.mark.parametrize("settings", [MoDLSettings, UnrolledSettings])
def test_each_step_has_a_denoiser_of_the_chosen_kind_and_size(
    settings: type[MoDLSettings] | type[UnrolledSettings],
) -> None:
    choice: DenoiserChoice = settings(n_steps=3, n_features=5, n_blocks=1, share_weights=False)
    residual = make_denoisers(choice)
    assert len(residual) == 3 and all(isinstance(each, ResidualCNN) for each in residual)
    assert max(p.shape[0] for p in residual.parameters()) == 5
    multiscale = make_denoisers(settings(n_steps=3, denoiser="multiscale", widths=(4, 6), share_weights=False))
    assert len(multiscale) == 3 and all(isinstance(each, MultiscaleDenoiser) for each in multiscale)
    assert len({id(p) for p in multiscale.parameters()}) == 3 * len(list(multiscale[0].parameters()))
    assert not torch.equal(multiscale[0].first.weight, multiscale[1].first.weight)


def test_steps_that_share_weights_have_one_denoiser() -> None:
    assert len(make_denoisers(MoDLSettings(n_steps=4, share_weights=True))) == 1


def odd(settings: Any, n_odd_steps: int) -> Any:
    return settings.model_copy(update={"n_odd_steps": n_odd_steps})


@pytest.mark.parametrize("settings", CHOICES[:2], ids=lambda s: s.denoiser)
def test_the_last_denoisers_are_odd(settings: UnrolledSettings) -> None:
    images = torch.randn(2, 4, 6, 8, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    settings = odd(settings, 2)
    denoisers = settings().double().regularisers
    first, *others = in_turn(denoisers, settings)
    assert first is denoisers[0]
    assert not torch.allclose(first(*-images), -first(*images))
    for plain, other in zip(denoisers[1:], others, strict=True):
        torch.testing.assert_close(other(*images), (plain(*images) - plain(*-images)) / 2)


@pytest.mark.parametrize("settings", CHOICES, ids=lambda s: f"{s.kind}-{getattr(s, 'denoiser', '')}")
def test_a_reconstruction_is_odd_if_all_steps_are(settings: Any) -> None:
    plain, part, whole = (odd(settings, n)().double() for n in (0, 2, 3))
    assert plain.state_dict().keys() == whole.state_dict().keys()
    for network in (plain, part):
        assert not torch.allclose(network(-P.kspace, P.encoding), -network(P.kspace, P.encoding))
    torch.testing.assert_close(whole(-P.kspace, P.encoding), -whole(P.kspace, P.encoding))


@pytest.mark.parametrize("settings", CHOICES, ids=lambda s: f"{s.kind}-{getattr(s, 'denoiser', '')}")
def test_the_jacobian_of_odd_steps_is_exact(settings: Any) -> None:
    references.assert_jacobian_is_exact(odd(settings, 2)().double(), P.kspace, P.encoding)
