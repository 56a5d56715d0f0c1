import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.point_spread import undersampled_axes
from mri_noise.settings import SettingsError
from mri_noise.training.data.draws import Draws
from mri_noise.training.data.random_masks import RandomMasks
from mri_noise.training.example import Example
from tests.problems import equispaced
from tests.training.acquisitions import acquisition

MASKS = RandomMasks(kinds=("equispaced", "random-lines", "random-2d"), acceleration=(1.5, 4), n_calibration=(2, 6))
DRAWS = Draws(masks=MASKS)
NOISELESS = (1e-30, 1e-30)
SEEDS = st.integers(0, 2**63 - 1)


def same(one: Example, other: Example) -> bool:
    assert one.target is not None and other.target is not None
    tensors = [(getattr(one, n), getattr(other, n)) for n in ("kspace", "mask", "coil_maps", "target")]
    numbers = (one.noise_level, one.seed) == (other.noise_level, other.seed)
    return numbers and all(torch.equal(a, b) for a, b in tensors)


@settings(max_examples=30, deadline=None)
@given(size=st.tuples(st.integers(16, 33), st.integers(16, 33)), seed=SEEDS, max_size=st.sampled_from([None, 16, 20]))
def test_kspace_is_the_encoded_target(size: tuple[int, int], seed: int, max_size: int | None) -> None:
    draws = Draws(masks=MASKS, noise_level=NOISELESS, max_size=max_size)
    example = draws(acquisition(*size), seed, labelled=True)
    assert example.target is not None
    torch.testing.assert_close(example.kspace, example.encoding(example.target), atol=1e-5, rtol=0)
    assert not bool(example.kspace[:, ~example.mask].any())
    assert max(example.mask.shape) <= (max_size or 33)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, labelled=st.booleans())
def test_a_draw_depends_on_its_arguments_alone(seed: int, labelled: bool) -> None:
    one = acquisition(noise_level=0.01)
    first = DRAWS(one, seed, True)
    torch.rand(3)
    assert same(first, DRAWS(one, seed, True))
    unlabelled = DRAWS(one, seed, False)
    assert unlabelled.target is None
    assert unlabelled.kspace.equal(first.kspace)


def test_a_draw_leaves_the_acquisition_and_the_global_generators_alone() -> None:
    one, before = acquisition(), torch.random.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    for seed in range(8):
        DRAWS(one, seed, labelled=True).kspace.zero_()
    assert one.kspace.equal(acquisition().kspace) and one.mask.equal(acquisition().mask)
    assert torch.random.get_rng_state().equal(before)
    assert (np.random.get_state()[1] == numpy_before).all()  # type: ignore[index]  # noqa: NPY002


def test_different_seeds_give_different_examples() -> None:
    examples = [DRAWS(acquisition(), seed, labelled=True) for seed in range(20)]
    assert len({example.seed for example in examples}) == 20
    assert len({example.noise_level for example in examples}) == 20


@pytest.mark.parametrize("own", [0.0, 0.03, 0.2], ids="own level {}".format)
def test_noise_has_the_level_that_is_said(own: float) -> None:
    # The acquisition holds nothing but its own noise, so that all samples of the examples are noise.
    one = acquisition(24, 20, noise_level=own)
    noise = own * torch.randn(one.kspace.shape, generator=torch.Generator().manual_seed(1), dtype=torch.complex64)
    empty = type(one)(noise, one.mask, one.coil_maps, own, (-1,))
    draws = Draws(masks=MASKS, noise_level=(0.05, 0.1), flips=False)
    deviations = []
    for seed in range(40):
        example = draws(empty, seed, labelled=True)
        assert example.noise_level == own if own > 0.1 else 0.05 <= example.noise_level <= 0.1
        added = (example.kspace - noise)[:, example.mask]
        level = math.sqrt(max(example.noise_level**2 - own**2, 0))
        if level == 0:
            assert not bool(added.any())
            continue
        power = added.abs().square().double().mean() / level**2
        # |n|^2 of circular noise has the standard deviation of its mean.
        deviations.append((float(power) - 1) * math.sqrt(added.numel()))
    if deviations:
        z = np.array(deviations)
        assert abs((z**2).mean() - 1) < 4 * math.sqrt(2 / len(z))
        assert abs(z.mean()) < 4 / math.sqrt(len(z))


def test_added_noise_is_circular_and_uncorrelated_between_coils() -> None:
    one = acquisition(24, 20, 4)
    draws = Draws(masks=MASKS, noise_level=(0.1, 0.1), flips=False)
    samples = []
    for seed in range(60):
        example = draws(one, seed, labelled=False)
        samples.append((example.kspace - one.kspace)[:, example.mask] / 0.1)
    noise = torch.cat(samples, 1).to(torch.complex128)
    n = noise.shape[1]
    for products in (noise @ noise.mH / n - torch.eye(4), noise @ noise.mT / n):
        assert float(products.abs().max()) < 5 / math.sqrt(n) * math.sqrt(2)


@pytest.mark.parametrize(("kept", "shared"), [(0.0, 0.0), (0.03, 0.03), (0.1, 0.05)])
def test_noise_stays_in_the_target_up_to_a_level(kept: float, shared: float) -> None:
    one, level = acquisition(24, 20, 4), 0.05
    clean = Draws(masks=MASKS, noise_level=NOISELESS, flips=False)
    draws = Draws(masks=MASKS, noise_level=(level, level), flips=False, target_noise=kept)
    of_input, of_target, encoded = [], [], []
    for seed in range(40):
        example, noiseless = draws(one, seed, labelled=True), clean(one, seed, labelled=True)
        assert example.target is not None and noiseless.target is not None and example.mask.equal(noiseless.mask)
        noise = example.target - noiseless.target
        of_target.append(noise.flatten())
        encoded.append(example.encoding(noise)[:, example.mask].flatten())
        of_input.append((example.kspace - noiseless.kspace)[:, example.mask].flatten())
    in_input, in_target, seen = (torch.cat(parts).to(torch.complex128) for parts in (of_input, of_target, encoded))
    # The maps have a sum of squares of one, so that the combined noise has the level of a sample.
    for noise, expected in ((in_input, level), (in_target, shared)):
        assert abs(float(noise.abs().square().mean()) - expected**2) <= 5 * expected**2 / math.sqrt(len(noise))
    # The input holds the noise of the target: regression finds a slope of one, or there is nothing to find.
    if shared:
        slope = torch.vdot(seen, in_input).real / torch.vdot(seen, seen).real
        assert abs(float(slope) - 1) < 5 * level / float(seen.abs().square().sum().sqrt())


def test_noise_levels_are_log_uniform() -> None:
    draws = Draws(masks=MASKS, noise_level=(0.002, 0.1))
    levels = np.array([draws(acquisition(16, 16, 1), seed, labelled=False).noise_level for seed in range(300)])
    assert levels.min() >= 0.002 and levels.max() <= 0.1
    shares = np.log(levels / 0.002) / np.log(50)
    assert abs(shares.mean() - 0.5) < 4 / math.sqrt(12 * 300)
    assert abs((shares < 0.25).mean() - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 300)


def test_all_eight_orientations_come() -> None:
    one = acquisition(16, 16)
    draws = Draws(masks=MASKS, noise_level=NOISELESS)
    targets = {draws(one, seed, labelled=True).coil_maps.numpy().tobytes() for seed in range(80)}
    assert len(targets) == 8
    unturned = Draws(masks=MASKS, flips=False)
    assert all(unturned(one, seed, labelled=True).coil_maps.equal(one.coil_maps) for seed in range(8))


def test_the_target_keeps_the_noise_that_was_measured() -> None:
    one = acquisition(noise_level=0.05)
    example = Draws(masks=MASKS, flips=False)(one, 3, labelled=True)
    assert example.target is not None
    assert example.target.equal(Sense(one.coil_maps, one.mask).adjoint(one.kspace))


def test_an_undersampled_acquisition_keeps_its_samples_and_has_no_target() -> None:
    lines = equispaced(16, 20, 2, 4)
    one = acquisition(16, 20, mask=lines)
    for seed in range(12):
        example = Draws(masks=MASKS, noise_level=NOISELESS)(one, seed, labelled=True)
        assert example.target is None
        assert int(example.mask.sum()) == int(lines.sum())
        assert undersampled_axes(example.mask) == (-1,)  # it is mirrored, and its readout stays in its rows


def test_missing_edges_of_kspace_stay_missing() -> None:
    partial = torch.arange(20).expand(16, 20) > 4
    example = Draws(masks=MASKS, flips=False)(acquisition(16, 20, mask=partial), 5, labelled=True)
    assert example.target is not None
    assert not bool((example.mask & ~partial).any())
    assert not bool(example.kspace[:, ~partial].any())


def test_a_crop_shows_the_object() -> None:
    one = acquisition(64, 48)
    one.kspace.copy_(Sense(one.coil_maps, one.mask)(torch.nn.functional.pad(torch.ones(3, 3), (20, 25, 30, 31)) + 0j))
    draws = Draws(masks=MASKS, max_size=16, flips=False, noise_level=NOISELESS)
    for seed in range(10):
        target = draws(one, seed, labelled=True).target
        assert target is not None
        assert target.shape == (16, 16)
        assert int((target.abs() > 0.5).sum()) == 9


@pytest.mark.parametrize("values", [{"noise_level": (0.1, 0.01)}, {"noise_level": (0, 0.1)}])
def test_noise_levels_that_do_not_fit_are_said(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="noise_level should be a range of positive numbers, got"):
        Draws.parse(values)
