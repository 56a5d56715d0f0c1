import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.settings import SettingsError
from mri_noise.training.augment.noise import AddedNoise
from tests.training.tiny import random_points, tiny_example

EXAMPLE = tiny_example(40, 36, 4, random_points(40, 36), noise_level=0.3)


def test_is_white_and_of_its_level_on_the_sampled_points() -> None:
    added = AddedNoise(smallest=0.4, largest=0.4)(EXAMPLE, 1.0, torch.Generator().manual_seed(0))
    noise = added.kspace - EXAMPLE.kspace
    assert not noise[:, ~EXAMPLE.mask].any()
    assert added.noise_level == pytest.approx(0.5)
    assert added.mask is EXAMPLE.mask
    assert added.target is EXAMPLE.target
    samples = noise[:, EXAMPLE.mask] / 0.4
    root = np.sqrt(samples.numel())
    assert abs(samples.abs().square().mean() - 1) * root < 4
    assert abs(samples.square().mean()) * root / np.sqrt(2) < 4
    covariance = samples @ samples.mH / samples.shape[1]
    assert ((covariance - torch.eye(4)).abs() * np.sqrt(samples.shape[1]) < 4).all()


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.2), st.floats(0.2, 1), st.floats(0, 1), st.integers(0, 2**31))
def test_level_keeps_its_bounds(smallest: float, largest: float, strength: float, seed: int) -> None:
    clean = tiny_example(4, 5, 1)
    augmentation = AddedNoise(smallest=smallest, largest=largest)
    level = augmentation(clean, strength, torch.Generator().manual_seed(seed)).noise_level
    top = strength * largest
    assert min(smallest, top) * (1 - 1e-12) <= level <= top * (1 + 1e-12)


def test_no_strength_is_no_noise() -> None:
    added = AddedNoise()(EXAMPLE, 0.0, torch.Generator().manual_seed(0))
    assert torch.equal(added.kspace, EXAMPLE.kspace)


def test_levels_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(SettingsError, match="should not be above the largest"):
        AddedNoise.parse({"smallest": 0.5, "largest": 0.1})
