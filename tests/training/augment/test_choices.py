import numpy as np
import pytest
import torch

from mri_noise.training.augment.affine import Affine
from mri_noise.training.augment.choices import AnyAugmentation, augmented
from mri_noise.training.augment.motion import Motion
from mri_noise.training.augment.noise import AddedNoise
from mri_noise.training.augment.schedule import Schedule
from mri_noise.training.augment.symmetry import Symmetry
from tests.training.tiny import tiny_example


def test_each_is_applied_with_its_probability() -> None:
    example, generator, n_draws = tiny_example(4, 5, 1), torch.Generator().manual_seed(0), 1000
    sometimes = [AddedNoise(probability=0.3)]
    changed = sum(augmented(example, sometimes, 0.0, generator) is not example for _ in range(n_draws))
    assert abs(changed - 0.3 * n_draws) < 4 * np.sqrt(n_draws * 0.3 * 0.7)
    assert augmented(example, [AddedNoise(probability=0)], 0.0, generator) is example


def test_are_applied_in_turn_at_the_strength_of_the_moment() -> None:
    example = tiny_example()
    pair = (AddedNoise(schedule=Schedule(end=0.5)), Motion(schedule=Schedule(start=0.1, end=1.0)))
    assert torch.equal(augmented(example, pair, 0.0, torch.Generator().manual_seed(0)).kspace, example.kspace)
    result = augmented(example, pair, 0.25, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    expected = example
    for augmentation, strength in zip(pair, (0.5, 0.15 / 0.9), strict=True):
        torch.rand((), generator=generator, dtype=torch.float64)
        expected = augmentation(expected, strength, generator)
    torch.testing.assert_close(result.kspace, expected.kspace)


@pytest.mark.parametrize(
    "augmentation", [AddedNoise(), Motion(), Symmetry(), Affine()], ids=lambda augmentation: augmentation.kind
)
def test_is_a_function_of_the_seed(augmentation: AnyAugmentation) -> None:
    first, again, other = (augmentation(tiny_example(), 1.0, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.kspace, again.kspace)
    assert not torch.equal(first.kspace, other.kspace)
