"""Each recipe trains, with the settings of recipes/smoke.txt, on the sample scans."""

from pathlib import Path

import pytest
import torch
import yaml

from mri_noise.recon.weights.checkpoint import load_network, read_training
from mri_noise.training.loop.fit import train
from mri_noise.training.recipe import Recipe, read_recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
SMOKE, GPU, REFINE = ((ROOT / "recipes" / f"{name}.txt").read_text().split() for name in ("smoke", "gpu", "refine"))


OF_ONE_SUBJECT = {
    "modl-ssdu": ["data.n_labelled=0"],
    "modl-n2r": ["objective.labelled_share=1"],
    "modl-vortex": ["objective.labelled_share=1"],
}
"""With the single training subject of the sample scans, the whole objective is met this way."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def smoke(path: Path, cache: Path) -> Recipe:
    return read_recipe(path, [*SMOKE, *OF_ONE_SUBJECT.get(path.stem, []), f"data.cache={cache}"])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_trains(path: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    recipe = smoke(path, cache)
    assert recipe.name == path.stem
    trained = train(recipe, tmp_path / "run")
    assert trained.n_steps == 3
    before, after = recipe.network().state_dict(), load_network(trained.weights).state_dict()
    assert before.keys() == after.keys()
    assert not all(torch.equal(before[name], after[name]) for name in before)
    assert read_training(trained.weights)["recipe"] == recipe.model_dump(mode="json")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_tells_its_command_and_its_choices(path: Path) -> None:
    text = path.read_text()
    assert f"mri-noise train recipes/{path.stem}.yaml --output runs/{path.stem}" in text
    assert set(yaml.safe_load(text)) == set(Recipe.model_fields)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_settings_to_refine_with_simulate_scans_that_are_harder(path: Path) -> None:
    before, source = (read_recipe(path, settings).data.source for settings in ([], REFINE))
    assert source.smallest_centre > before.smallest_centre
    assert source.crop[1] > before.crop[1]
    assert source.n_coils[1] > before.n_coils[1]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_settings_for_a_gpu_put_whole_steps_together(path: Path) -> None:
    recipe = read_recipe(path, GPU)
    assert recipe.trainer.n_together == recipe.trainer.batch_size == 16
    for smallest, largest in (recipe.data.source.rows, recipe.data.source.columns):
        assert smallest == largest, "examples of different matrices are not computed together"
