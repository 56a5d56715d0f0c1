"""Noise2Recon and VORTEX."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.training.augment.affine import Affine
from mri_noise.training.augment.choices import AnyAugmentation
from mri_noise.training.augment.motion import Motion
from mri_noise.training.augment.noise import AddedNoise
from mri_noise.training.augment.schedule import Schedule
from mri_noise.training.augment.symmetry import Symmetry
from mri_noise.training.objectives.choices import Objective
from mri_noise.training.objectives.consistency import Consistency
from mri_noise.training.objectives.noise2recon import Noise2Recon
from mri_noise.training.objectives.ssdu import SSDU
from mri_noise.training.objectives.supervised import Supervised
from mri_noise.training.objectives.vortex import VORTEX
from tests.training.tiny import Recorder, exact, fully_sampled, scaled_by, tiny_example

EQUIVARIANT: tuple[AnyAugmentation, ...] = (Symmetry(transpose=True), Affine(rotation=60, scaling=1.5))
OBJECTIVES: list[Consistency] = [Noise2Recon(), VORTEX(), VORTEX(augmentations=(*EQUIVARIANT, Motion()))]


@settings(deadline=None, max_examples=30)
@given(st.tuples(st.integers(5, 10), st.integers(5, 10)), st.integers(0, 999))
def test_exact_reconstruction_is_consistent_under_every_equivariant_transform(
    shape: tuple[int, int], seed: int
) -> None:
    example = replace(tiny_example(*shape, mask=fully_sampled(*shape)), seed=seed)
    recorder = Recorder()
    value = VORTEX(augmentations=EQUIVARIANT)(recorder, example, 1.0)
    supervised, consistency = (part for _, part in value.parts)
    assert supervised < 1e-12
    assert consistency < 1e-12
    assert not torch.allclose(recorder.kspaces[0].abs().sum(), recorder.kspaces[1].abs().sum())


def test_noise_is_added_to_the_input_and_not_to_the_label() -> None:
    example, recorder = tiny_example(mask=fully_sampled(12, 15)), Recorder()
    objective = Noise2Recon(noise=AddedNoise(smallest=0.2, largest=0.2))
    (_, agreement) = dict(objective(recorder, example, 0.0).parts).values()
    clean, noisy = recorder.kspaces
    assert torch.equal(clean, example.kspace)
    expected = (exact(noisy, example.encoding) - exact(clean, example.encoding)).abs().mean()
    torch.testing.assert_close(agreement, expected)
    n_samples = noisy.numel()
    assert abs((noisy - clean).abs().square().mean() / 0.04 - 1) * n_samples**0.5 < 4


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_terms_of_labelled_and_unlabelled_examples(objective: Consistency) -> None:
    example = tiny_example(noise_level=0.1)
    both = objective(exact, example, 0.7)
    parts = dict(both.parts)
    torch.testing.assert_close(both.total, parts["supervised"] + objective.weight * parts["consistency"])
    torch.testing.assert_close(parts["supervised"], Supervised()(exact, example, 0.7).total)
    alone = objective(exact, replace(example, target=None), 0.7)
    torch.testing.assert_close(alone.total, objective.weight * parts["consistency"])
    assert [name for name, _ in alone.parts] == ["consistency"]
    neither = objective.model_copy(update={"labelled_share": 0.0})(exact, example, 0.7)
    assert [name for name, _ in neither.parts] == ["supervised"]


def test_share_of_labelled_examples_is_met() -> None:
    objective, n_draws = Noise2Recon(labelled_share=0.4), 1000
    drawn = sum(objective.is_drawn(replace(tiny_example(4, 5, 1), seed=seed)) for seed in range(n_draws))
    assert abs(drawn - 0.4 * n_draws) < 4 * (n_draws * 0.4 * 0.6) ** 0.5
    assert objective.is_drawn(replace(tiny_example(4, 5, 1), target=None, seed=0))


@pytest.mark.parametrize("augmentation", [AddedNoise(), Motion(), Affine()], ids=lambda a: a.kind)
@pytest.mark.parametrize("labelled", [True, False])
def test_gradient_flows_through_the_pseudo_label_only_if_it_is_attached(
    augmentation: AnyAugmentation, labelled: bool
) -> None:
    """With f(y) = a z, the attached consistency |a z' - a T z| is proportional to a, whatever is transformed."""
    example = tiny_example(noise_level=0.3)
    example = example if labelled else replace(example, target=None)
    share = 1.0 if labelled else 0.0

    def gradient(detached: bool) -> tuple[torch.Tensor, torch.Tensor]:
        factor = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
        objective = VORTEX(augmentations=(augmentation,), detached=detached, labelled_share=share)
        value = dict(objective(scaled_by(factor), example, 1.0).parts)["consistency"]
        return value.detach(), torch.autograd.grad(value, factor)[0]

    value, attached = gradient(detached=False)
    same_value, cut = gradient(detached=True)
    torch.testing.assert_close(same_value, value)
    assert not torch.allclose(cut, attached)
    if not isinstance(augmentation, Affine):
        torch.testing.assert_close(attached, value / 1.5)


@pytest.mark.parametrize("objective", [*OBJECTIVES, Supervised(), SSDU()], ids=repr)
def test_is_a_function_of_the_example(objective: Objective) -> None:
    example = tiny_example(noise_level=0.1)
    first, again = (objective(exact, example, 1.0).total for _ in range(2))
    assert torch.equal(first, again)
    other = objective(exact, replace(example, seed=99), 1.0).total
    assert torch.equal(first, other) == isinstance(objective, Supervised)


def test_curriculum_starts_with_the_example_itself() -> None:
    gentle = (Motion(schedule=Schedule(end=0.5)), AddedNoise(schedule=Schedule(end=0.5)))
    example = tiny_example(noise_level=0.1)
    first, half, last = (
        float(dict(VORTEX(augmentations=gentle)(exact, example, progress).parts)["consistency"])
        for progress in (0.0, 0.25, 1.0)
    )
    assert 0 == first < half < last


def test_affine_is_refused_where_the_image_is_not_of_the_maps() -> None:
    network = VarNetSettings(n_cascades=1, n_channels=2, n_pools=1)()
    with pytest.raises(ValueError, match="leave the affine augmentation out"):
        VORTEX(augmentations=(Affine(),))(network, tiny_example(), 0.0)


@pytest.mark.parametrize(
    ("objective", "needs"),
    [
        (Supervised(), "labels"),
        (SSDU(), "nothing"),
        (Noise2Recon(), "some labels"),
        (VORTEX(augmentations=(Affine(), AddedNoise())), "some labels"),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_kind_chooses_the_objective_which_says_what_it_needs(objective: Objective, needs: str) -> None:
    assert TypeAdapter(Objective).validate_python(objective.model_dump(mode="json")) == objective
    assert objective.needs == needs
