import pytest
import torch

from mri_noise.recon.denoiser import DenoiserChoice, make_denoisers
from mri_noise.recon.modl import MoDLSettings
from mri_noise.recon.multiscale import MultiscaleDenoiser
from mri_noise.recon.resnet import ResidualCNN
from mri_noise.recon.unrolled import UnrolledSettings


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
