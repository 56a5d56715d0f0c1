"""Examples that pass through a network at once, against each alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet_image import ImageVarNetSettings
from mri_noise.recon.reconstruction import NetworkSettings
from mri_noise.training.augment.affine import Affine
from mri_noise.training.augment.symmetry import Symmetry
from mri_noise.training.example import Example
from mri_noise.training.objectives.noise2recon import Noise2Recon
from mri_noise.training.objectives.ssdu import SSDU
from mri_noise.training.objectives.supervised import Supervised
from mri_noise.training.objectives.value import ObjectiveSettings
from mri_noise.training.objectives.vortex import VORTEX
from mri_noise.training.together import SenseOfEach, reconstruct_each, with_empty_coils
from tests.problems import equispaced
from tests.training.tiny import random_points, tiny_example

NETWORKS = [
    UNetSettings(n_channels=2, n_pools=1),
    UnrolledSettings(n_steps=2, n_gradient_steps=2, denoiser="multiscale", widths=(2, 3), scale="percentile"),
    MoDLSettings(n_steps=2, denoiser="multiscale", widths=(2, 3), learn_lambda=False, share_weights=False),
    ImageVarNetSettings(n_cascades=2, widths=(2, 3), sensitivity_n_channels=2, sensitivity_n_pools=1),
]
OBJECTIVES = [
    Supervised(),
    SSDU(n_splits=2),
    Noise2Recon(),
    Noise2Recon(labelled_share=0.0),
    VORTEX(augmentations=(Symmetry(), Affine())),
]


def several() -> list[Example]:
    """Lines along either axis and points, one to three coils, two matrices; the last has no target."""
    points = tiny_example(16, 16, 2, random_points(16, 16), noise_level=0.1, seed=1)
    unlabelled = tiny_example(16, 16, 1, equispaced(16, 16, 2, 6), noise_level=0.1, seed=4)
    return [
        tiny_example(16, 16, 3, equispaced(16, 16, 2, 6), noise_level=0.1, seed=0),
        points,
        tiny_example(12, 16, 3, equispaced(12, 16, 2, 6), noise_level=0.1, seed=2),
        tiny_example(16, 16, 2, equispaced(16, 16, 3, 6).mT.contiguous(), noise_level=0.1, seed=3),
        Example(unlabelled.kspace, unlabelled.mask, unlabelled.coil_maps, None, 0.1, 4),
    ]


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(4, 9), st.integers(4, 9), st.integers(0, 999))
def test_encodings_side_by_side_are_each_its_own(n: int, rows: int, columns: int, seed: int) -> None:
    examples = [tiny_example(rows, columns, 1 + i, random_points(rows, columns, seed + i), seed=i) for i in range(n)]
    encoding, n_coils = SenseOfEach.of(examples), len(examples[-1].kspace)
    images = torch.randn(2, n, rows, columns, dtype=torch.complex128)
    samples = torch.randn(2, n, n_coils, rows, columns, dtype=torch.complex128)
    forward, normal, adjoint = encoding(images), encoding.normal(images), encoding.adjoint(samples)
    for i, example in enumerate(examples):
        own = example.encoding
        torch.testing.assert_close(forward[0, i], with_empty_coils(own(images[0, i]), n_coils))
        torch.testing.assert_close(adjoint[0, i], own.adjoint(samples[0, i, : len(example.kspace)]))
        torch.testing.assert_close(normal[0, i], own.normal(images[0, i]))
        torch.testing.assert_close(encoding.coil_power[i], own.coil_power)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.kind)
@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.kind)
def test_values_and_gradients_are_those_of_each_alone(network: NetworkSettings, objective: ObjectiveSettings) -> None:
    if isinstance(network, ImageVarNetSettings) and isinstance(objective, VORTEX):
        pytest.skip("its affine augmentation needs an image of the example's coil maps")
    examples = several()[: -1 if isinstance(objective, Supervised) else None]
    built = network().double()
    together = objective.of_each(built, examples, 0.5)
    alone = [objective(built, example, 0.5) for example in examples]
    for value, expected in zip(together, alone, strict=True):
        torch.testing.assert_close(dict(value.parts), dict(expected.parts))
    parameters = [parameter for parameter in built.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(sum(value.total for value in together), parameters, materialize_grads=True)
    expected = torch.autograd.grad(sum(value.total for value in alone), parameters, materialize_grads=True)
    torch.testing.assert_close(gradients, expected, rtol=1e-6, atol=1e-9)


def test_examples_of_one_matrix_are_seen_at_once_and_come_back_in_order() -> None:
    examples, shapes = several(), []

    def network(kspace: torch.Tensor, encoding: object) -> torch.Tensor:
        shapes.append(tuple(kspace.shape))
        return kspace.sum(-3)

    images = reconstruct_each(network, examples)
    assert shapes == [(4, 3, 16, 16), (3, 12, 16)]
    for image, example in zip(images, examples, strict=True):
        torch.testing.assert_close(image, example.kspace.sum(0))
