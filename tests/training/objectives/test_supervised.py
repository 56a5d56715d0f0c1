from dataclasses import replace

import pytest
import torch

from mri_noise.training.objectives.losses import KSpaceL1
from mri_noise.training.objectives.supervised import Supervised
from tests.training.tiny import exact, tiny_example


def test_is_the_loss_of_the_reconstruction() -> None:
    example = tiny_example(noise_level=0.1)
    value = Supervised(loss=KSpaceL1())(exact, example, 0.0)
    expected = KSpaceL1()(exact(example.kspace, example.encoding), example.target, example.encoding)
    torch.testing.assert_close(value.total, expected)
    assert value.parts == (("supervised", value.total),)


def test_refuses_an_example_without_a_target() -> None:
    with pytest.raises(ValueError, match="needs a target in every example"):
        Supervised()(exact, replace(tiny_example(), target=None), 0.0)
