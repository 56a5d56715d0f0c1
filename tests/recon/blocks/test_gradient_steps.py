from typing import Any

import pytest
import torch

from mri_noise.recon.blocks.gradient_steps import FinalSteps, descend
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet_image import ImageVarNetSettings
from tests.problems import equispaced, problem
from tests.recon import references

WIDTHS = (3, 4)
CHOICES = [
    UnrolledSettings(n_steps=2, n_gradient_steps=2, denoiser="multiscale", widths=WIDTHS),
    UnrolledSettings(n_steps=2, n_blocks=1, n_features=3),
    MoDLSettings(n_steps=2, denoiser="multiscale", widths=WIDTHS),
    MoDLSettings(n_steps=2, denoiser="residual", n_blocks=1, n_features=3),
]
WITH_MAPS = ImageVarNetSettings(n_cascades=2, widths=WIDTHS, sensitivity_n_channels=2, sensitivity_n_pools=1)
P = problem(6, 9, 3, equispaced(6, 9, 2, 2))


def with_steps(settings: Any, n: int) -> Any:
    return settings.model_copy(update={"n_final_steps": n})


def test_steps_are_those_of_a_heavy_ball() -> None:
    """x_(j+1) = x_j + t_j (N x_j - b) + m_(j-1) (x_j - x_(j-1)), with a dense normal matrix N."""
    matrix = references.dense(P.encoding)
    normal, b = matrix.mH @ matrix, matrix.mH @ P.kspace.flatten()
    sizes, momenta = (
        torch.tensor([-1.0, -0.7, -1.2], dtype=torch.float64),
        torch.tensor([0.3, 0.5], dtype=torch.float64),
    )
    before = x = start = torch.randn(b.shape, generator=torch.Generator().manual_seed(0), dtype=b.dtype)
    for j, size in enumerate(sizes):
        momentum = momenta[j - 1] * (x - before) if j else 0
        before, x = x, x + size * (normal @ x - b) + momentum
    shape = P.encoding.in_shape
    end = descend(start.reshape(shape), b.reshape(shape), P.encoding, sizes, momenta)
    torch.testing.assert_close(end, x.reshape(shape))


def test_they_come_closer_to_the_data_from_the_beginning() -> None:
    back = P.encoding.adjoint(P.kspace)
    start = torch.zeros_like(back)
    ends = [FinalSteps(n).double()(start, back, P.encoding).detach() for n in range(5)]
    residuals = [float((P.encoding(end) - P.kspace).abs().square().sum()) for end in ends]
    assert residuals == sorted(residuals, reverse=True)


@pytest.mark.parametrize("settings", CHOICES, ids=lambda s: f"{s.kind}-{s.denoiser}")
def test_a_network_ends_with_them(settings: Any) -> None:
    """At the scale of the data, which a linear step does not see."""
    plain, ending = settings().double(), with_steps(settings, 2)().double()
    assert ending.state_dict().keys() - plain.state_dict().keys() == {
        "final.step_sizes.0",
        "final.step_sizes.1",
        "final.momenta.0",
    }
    ending.load_state_dict(plain.state_dict(), strict=False)
    expected = ending.final(plain(P.kspace, P.encoding), P.encoding.adjoint(P.kspace), P.encoding)
    torch.testing.assert_close(ending(P.kspace, P.encoding), expected)


@pytest.mark.parametrize("settings", [*CHOICES, WITH_MAPS], ids=lambda s: s.kind)
def test_its_jacobian_is_exact(settings: Any) -> None:
    references.assert_jacobian_is_exact(with_steps(settings, 2)().double(), P.kspace, P.encoding)


def test_steps_of_corrected_maps_are_learned_too() -> None:
    network = with_steps(WITH_MAPS, 3)()
    names = {name for name, _ in network.named_parameters() if "final" in name}
    assert names == {f"cascades.final.{name}" for name in ("step_sizes.0", "step_sizes.1", "step_sizes.2")} | {
        f"cascades.final.momenta.{i}" for i in range(2)
    }
