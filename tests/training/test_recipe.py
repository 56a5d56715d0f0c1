import math
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from mri_noise.settings import SettingsError
from mri_noise.training.recipe import AdamSettings, Recipe, read_recipe

MINIMAL = {"name": "brain-1.0", "network": {"kind": "modl"}, "data": {}}


def test_a_recipe_survives_its_file(tmp_path: Path) -> None:
    recipe = Recipe.parse(MINIMAL)
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    assert read_recipe(tmp_path / "recipe.yaml", []) == recipe
    changed = read_recipe(
        tmp_path / "recipe.yaml", ["network.kind=varnet", "trainer.n_steps=7", "machine.devices=auto"]
    )
    assert (changed.network.kind, changed.trainer.n_steps, changed.machine.devices) == ("varnet", 7, "auto")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"objektive": {}}, "unknown setting 'objektive'; did you mean 'objective'?"),
        ({"trainer": {"n_step": 3}}, "unknown setting 'trainer.n_step'; did you mean 'n_steps'?"),
        ({"network": {"kind": "checkpoint"}}, "setting 'network.kind': got 'checkpoint'"),
        ({"name": "../weights"}, "setting 'name'"),
        ({"optimiser": {"betas": [0.9, 1.0]}}, "setting 'optimiser.betas.1'"),
        ({"machine": {"devices": 0}}, "setting 'machine.devices"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Recipe.parse({**MINIMAL, **change})
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("n_warmup", [0, 1, 5, 30])
def test_learning_rate_rises_linearly_and_falls_along_a_cosine(n_warmup: int) -> None:
    n_steps, highest, final = 30, 0.5, 0.1
    settings = AdamSettings(learning_rate=highest, n_warmup=n_warmup, final_fraction=final)
    optimiser, schedule = settings([nn.Parameter(torch.ones(1))], n_steps)
    for step in range(n_steps):
        if step < n_warmup:
            expected = highest * (1 + step) / (1 + n_warmup)
        else:
            fallen = 0.5 - 0.5 * math.cos(math.pi * (step - n_warmup) / (n_steps - n_warmup))
            expected = highest * (1 - fallen + fallen * final)
        assert optimiser.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-9)
        optimiser.step()
        schedule.step()


def test_without_weight_decay_it_is_adam() -> None:
    weights = torch.randn(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, reference = nn.Parameter(weights.clone()), nn.Parameter(weights.clone())
    optimiser, _ = AdamSettings(learning_rate=0.01, betas=(0.8, 0.9))([ours], 10)
    adam = torch.optim.Adam([reference], lr=0.01, betas=(0.8, 0.9))
    for _ in range(3):
        for parameter, stepping in ((ours, optimiser), (reference, adam)):
            parameter.grad = (parameter**3).detach()
            stepping.step()
    torch.testing.assert_close(ours, reference, rtol=1e-12, atol=0)


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text(yaml.safe_dump([1, 2]))
    with pytest.raises(SettingsError, match="should hold a mapping"):
        read_recipe(tmp_path / "list.yaml", [])
