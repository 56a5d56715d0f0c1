import math

import pytest
import torch
from pydantic import TypeAdapter

from mri_noise.operators.cartesian import Sense
from mri_noise.training.objectives.losses import (
    ComplexL1,
    KSpaceL1,
    LogError,
    Loss,
    NormalisedL1L2,
    StructuralSimilarity,
    Term,
    WeightedSum,
)
from tests.training.tiny import fully_sampled, tiny_example

LOSSES = [
    ComplexL1(),
    ComplexL1(of="magnitude"),
    KSpaceL1(),
    NormalisedL1L2(),
    NormalisedL1L2(of="magnitude"),
    StructuralSimilarity(),
    WeightedSum(),
]
EXAMPLE = tiny_example(16, 18, mask=fully_sampled(16, 18))
TARGET = torch.tensor([[3 + 4j, 2j], [-1, 0]], dtype=torch.complex128)
IMAGE = torch.tensor([[3, 2], [1, 0]], dtype=torch.complex128)
ENCODING = Sense(torch.ones(1, 2, 2, dtype=torch.complex128), fully_sampled(2, 2))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (ComplexL1(), (4 + math.sqrt(8) + 2) / 4),
        (ComplexL1(of="magnitude"), 2 / 4),
        (NormalisedL1L2(), math.sqrt((16 + 8 + 4) / (25 + 4 + 1)) + (4 + math.sqrt(8) + 2) / (5 + 2 + 1)),
        (NormalisedL1L2(of="magnitude"), math.sqrt(4 / 30) + 2 / 8),
        (LogError(), math.log((16 + 8 + 4) / 4) / 2),
        (LogError(of="magnitude"), 0.0),
    ],
    ids=repr,
)
def test_closed_form(loss: Loss, expected: float) -> None:
    assert loss(IMAGE, TARGET, ENCODING).item() == pytest.approx(expected, rel=1e-14)


def test_the_logarithm_of_an_error_falls_alike_for_small_and_large_ones_and_ends_somewhere() -> None:
    image = EXAMPLE.target.clone().requires_grad_()
    loss = LogError()
    for error in (1.0, 1e-3):
        whole, half = (loss(EXAMPLE.target + share * error, EXAMPLE.target, EXAMPLE.encoding) for share in (1, 0.5))
        assert (whole - half).item() == pytest.approx(math.log(2), rel=1e-9)
    (gradient,) = torch.autograd.grad(loss(image, EXAMPLE.target, EXAMPLE.encoding), image)
    assert bool((gradient == 0).all())


def test_k_space_of_one_wrong_pixel() -> None:
    example, wrong = EXAMPLE, EXAMPLE.target.clone()
    wrong[3, 5] += 2j
    weights = example.coil_maps[:, 3, 5].abs().mean() / math.sqrt(16 * 18)
    torch.testing.assert_close(KSpaceL1()(wrong, example.target, example.encoding), 2 * weights)


def test_similarity_of_constant_images() -> None:
    image, target = (torch.full((16, 18), level, dtype=torch.complex128) for level in (0.5j, 0.8))
    stabiliser = (0.01 * 0.8) ** 2
    similarity = (2 * 0.5 * 0.8 + stabiliser) / (0.5**2 + 0.8**2 + stabiliser)
    loss = StructuralSimilarity()(image, target, EXAMPLE.encoding)
    assert loss.item() == pytest.approx(1 - similarity, rel=1e-9)


def test_weighted_sum_is_the_sum() -> None:
    image, example = 0.7 * EXAMPLE.target, EXAMPLE
    terms = (Term(weight=2, loss=KSpaceL1()), Term(weight=0.3, loss=StructuralSimilarity()))
    expected = sum(t.weight * t.loss(image, example.target, example.encoding) for t in terms)
    torch.testing.assert_close(WeightedSum(terms=terms)(image, example.target, example.encoding), expected)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("factor", [1, 0], ids=["at equality", "at zero"])
def test_zero_at_equality_only_and_finite_gradients(loss: Loss, factor: float) -> None:
    image = (factor * EXAMPLE.target).requires_grad_()
    value = loss(image, EXAMPLE.target, EXAMPLE.encoding)
    assert (abs(value.item()) < 1e-12) == (factor == 1)
    (gradient,) = torch.autograd.grad(value, image)
    assert torch.isfinite(torch.view_as_real(gradient)).all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_phase_counts_unless_magnitudes_are_compared(loss: Loss) -> None:
    value = loss(1j * EXAMPLE.target, EXAMPLE.target, EXAMPLE.encoding).item()
    blind = isinstance(loss, StructuralSimilarity) or getattr(loss, "of", None) == "magnitude"
    assert (abs(value) < 1e-12) == blind


@pytest.mark.parametrize("loss", [NormalisedL1L2(), NormalisedL1L2(of="magnitude"), StructuralSimilarity()], ids=repr)
def test_units_do_not_matter(loss: Loss) -> None:
    image = EXAMPLE.target.roll(1, 0)
    value, scaled = (loss(s * image, s * EXAMPLE.target, EXAMPLE.encoding) for s in (1, 40))
    torch.testing.assert_close(value, scaled)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_kind_chooses_the_loss(loss: Loss) -> None:
    assert TypeAdapter(Loss).validate_python(loss.model_dump()) == loss
