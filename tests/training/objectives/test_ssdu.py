from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from mri_noise.operators.point_spread import undersampled_axes
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.objectives.losses import normalised_l1_l2
from mri_noise.training.objectives.ssdu import SSDU
from tests.problems import equispaced
from tests.training.tiny import Recorder, exact, fully_sampled, random_points, tiny_example

SPLITS = st.sampled_from(["points", "lines"])
DENSITIES = st.sampled_from(["gaussian", "uniform"])


def _lines(rows: int, columns: int, of_rows: bool) -> Tensor:
    return equispaced(columns, rows, 2, 4).mT.contiguous() if of_rows else equispaced(rows, columns, 2, 4)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(8, 20), st.integers(8, 20)),
    st.booleans(),
    st.builds(SSDU, ratio=st.floats(0.05, 0.6), split=SPLITS, density=DENSITIES, n_centre=st.integers(0, 4)),
    st.integers(0, 2**32),
)
def test_splits_the_samples_in_two(shape: tuple[int, int], of_rows: bool, objective: SSDU, seed: int) -> None:
    ratio, split, n_centre = objective.ratio, objective.split, objective.n_centre
    mask = _lines(*shape, of_rows)
    n_sampled = int(mask.sum()) if split == "points" else int(mask.any(-1 if of_rows else -2).sum())
    assume(round(ratio * n_sampled) <= n_sampled - (n_centre**2 if split == "points" else n_centre))
    held_out = objective.held_out(tiny_example(*shape, mask=mask, seed=seed), 0)
    assert not (held_out & ~mask).any()
    n_held_out = int(held_out.sum()) if split == "points" else int(held_out.any(-1 if of_rows else -2).sum())
    assert n_held_out == max(1, round(ratio * n_sampled))
    rows, columns = (slice(n // 2 - n_centre // 2, n // 2 - n_centre // 2 + n_centre) for n in shape)
    whole = slice(None)
    centre = (rows, columns) if split == "points" else (rows, whole) if of_rows else (whole, columns)
    assert not held_out[centre].any()
    if split == "lines":
        assert undersampled_axes(mask & ~held_out) == ((-2,) if of_rows else (-1,))


def test_splits_scattered_points_and_full_sampling() -> None:
    for mask in (random_points(14, 13), fully_sampled(14, 13)):
        held_out = SSDU(ratio=0.3, n_centre=2).held_out(tiny_example(14, 13, mask=mask), 0)
        assert int(held_out.sum()) == round(0.3 * int(mask.sum()))
        assert not (held_out & ~mask).any()
    lines = SSDU(ratio=0.3, split="lines").held_out(tiny_example(14, 13, mask=fully_sampled(14, 13)), 0)
    assert undersampled_axes(lines) == (-1,)


@pytest.mark.parametrize(("density", "weight"), [("gaussian", np.exp(-((6 / 16) ** 2) * 8)), ("uniform", 1.0)])
def test_density_of_what_is_held_out(density: Literal["gaussian", "uniform"], weight: float) -> None:
    """One of two lines is held out: the one at the centre, or one at 6/16 of the size with exp(-(6/16)^2 / (2/16))."""
    mask = torch.zeros(8, 16, dtype=torch.bool)
    mask[:, [8, 14]] = True
    objective = SSDU(ratio=0.5, split="lines", density=density, n_centre=0)
    n_draws, probability = 1000, weight / (1 + weight)
    example = tiny_example(8, 16, mask=mask)
    outer = sum(bool(objective.held_out(replace(example, seed=seed), 0)[0, 14]) for seed in range(n_draws))
    standard_error = np.sqrt(n_draws * probability * (1 - probability))
    assert abs(outer - n_draws * probability) < 4 * standard_error


def _tiny_networks() -> list[Reconstructor]:
    varnet = VarNetSettings(n_cascades=1, n_channels=2, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1)
    modl = MoDLSettings(n_steps=1, n_blocks=1, n_features=2)
    return [exact, varnet().double(), modl().double(), UNetSettings(n_channels=2, n_pools=1)().double()]


@pytest.mark.parametrize("network", _tiny_networks(), ids=lambda network: type(network).__name__)
@pytest.mark.parametrize("split", ["points", "lines"])
def test_network_never_sees_what_is_held_out(network: Reconstructor, split: Literal["points", "lines"]) -> None:
    objective, example = SSDU(split=split, n_centre=2), tiny_example(12, 16, noise_level=0.1)
    held_out = objective.held_out(example, 0)
    kspace = example.kspace.clone().requires_grad_()
    kept = example.mask & ~held_out
    recorder = Recorder(network)
    objective(recorder, replace(example, kspace=kspace), 0.0)
    (gradient,) = torch.autograd.grad(recorder.images[0].abs().sum(), kspace)
    assert not gradient[:, ~kept].any()
    assert gradient[:, kept].any()
    assert torch.equal(recorder.masks[0], kept)
    perturbed = replace(example, kspace=example.kspace + 100 * held_out)
    objective(recorder, perturbed, 0.0)
    assert torch.equal(recorder.kspaces[0], recorder.kspaces[1])


@pytest.mark.parametrize("network", _tiny_networks(), ids=lambda network: type(network).__name__)
def test_loss_depends_on_what_is_held_out_and_trains_every_weight(network: Reconstructor) -> None:
    objective, example = SSDU(n_centre=2), tiny_example(12, 16, noise_level=0.1)
    kspace = example.kspace.clone().requires_grad_()
    value = objective(network, replace(example, kspace=kspace, target=None), 0.0).total
    weights = list(network.parameters()) if isinstance(network, torch.nn.Module) else []
    gradient, *others = torch.autograd.grad(value, [kspace, *weights])
    assert gradient[:, objective.held_out(example, 0)].abs().min() > 0
    assert all(torch.isfinite(other).all() for other in others)


def test_is_zero_for_the_true_image_and_compares_samples_as_published() -> None:
    example = tiny_example(noise_level=0.0)
    assert SSDU()(lambda kspace, encoding: example.target, example, 0.0).total < 1e-12
    objective, noisy = SSDU(n_splits=3), tiny_example(noise_level=0.2)
    values = []
    for i in range(3):
        held_out = objective.held_out(noisy, i)
        kept = noisy.mask & ~held_out
        image = exact(noisy.kspace * kept, replace(noisy, mask=kept).encoding)
        predicted = replace(noisy, mask=held_out).encoding(image)
        values.append(normalised_l1_l2(predicted[:, held_out], noisy.kspace[:, held_out]))
    torch.testing.assert_close(objective(exact, noisy, 0.0).total, torch.stack(values).mean())
    assert len({value.item() for value in values}) == 3


def test_says_what_does_not_fit() -> None:
    example = tiny_example()
    with pytest.raises(ValueError, match="are to be held out"):
        SSDU(ratio=0.9, split="lines", n_centre=12)(exact, example, 0.0)
    with pytest.raises(ValueError, match="varies along both axes"):
        SSDU(split="lines")(exact, tiny_example(mask=random_points(12, 15)), 0.0)
    with pytest.raises(ValueError, match="in_channels"):
        SSDU()(UNetSettings(in_channels=1, n_channels=2, n_pools=1)(), example, 0.0)
