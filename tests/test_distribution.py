"""A distribution of others, installed in an environment of its own: the toy that the pages of the docs make."""

import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest
from safetensors import safe_open
from typer.testing import CliRunner

from mri_noise.choices import Absent, choices_in
from mri_noise.cli.app import app
from mri_noise.io.results import load_results, save_results
from mri_noise.phantom.simulation import Phantom
from tests.toy import PAGES, installed, write_toy_scan
from tests.toy_commands import COMMANDS

KINDS = ("toy-stripes", "toy-share", "toy-network", "toy-pairs")


class Toy(NamedTuple):
    """The interpreter that has the toy, the folder in which commands ran, and what came of each: (status, words)."""

    python: Path
    folder: Path
    done: dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    python, folder = installed(tmp_path_factory.mktemp("toy")), tmp_path_factory.mktemp("work")
    for seed, name in enumerate(("scan.toy", "other.toy")):
        write_toy_scan(folder / name, Phantom(matrix=(40, 36), n_coils=4, n_slices=2, seed=seed)())
    lines = call(python, Path(__file__).with_name("toy_commands.py"), folder).splitlines()
    done = {words: (status, f"{said}{raised}") for words, status, said, raised in map(json.loads, lines)}
    assert list(done) == list(COMMANDS)
    return Toy(python, folder, done)


def call(python: Path, *arguments: str | Path) -> str:
    """What a script prints in the toy's environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run([python, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("words", COMMANDS[:-1], ids=lambda words: words.split()[0])
def test_every_command_takes_the_kinds_of_the_distribution(toy: Toy, words: str) -> None:
    status, said = toy.done[words]
    assert status == 0, said


def test_a_misspelt_kind_is_told_from_one_of_the_distribution(toy: Toy) -> None:
    status, said = toy.done[COMMANDS[-1]]
    assert status == 1
    assert "did you mean 'toy-stripes'?" in said


def test_a_saved_result_of_the_distribution_repeats_bit_for_bit(toy: Toy) -> None:
    with h5py.File(toy.folder / "first.h5") as first, h5py.File(toy.folder / "again.h5") as again:
        names: list[str] = []
        first.visititems(lambda name, member: names.append(name) if isinstance(member, h5py.Dataset) else None)
        maps = [name for name in names if first[name].ndim >= 2]
        assert len(maps) > 10
        for name in maps:
            np.testing.assert_array_equal(first[name][:], again[name][:])


def test_weights_of_the_distribution_know_what_makes_them(toy: Toy) -> None:
    with safe_open(toy.folder / "trained" / "toy.safetensors", "pt") as file:
        assert json.loads(file.metadata()["settings"]) == {"kind": "toy-network", "n_features": 3, "seed": 0}


def test_tables_of_an_evaluation_name_the_distribution_s_kinds(toy: Toy) -> None:
    table = (toy.folder / "tables" / "evaluation.csv").read_text(encoding="utf-8")
    assert "toy-network" in table
    assert "toy-stripes" in table


@pytest.mark.skipif(find_spec("magicgui") is None, reason="the form needs the extra napari")
def test_the_form_offers_the_distribution_s_kinds_with_their_fields(toy: Toy) -> None:
    chosen = json.dumps(dict(zip(("undersampling", "noise", "reconstruction", "variance"), KINDS, strict=True)))
    found, values = json.loads(call(toy.python, Path(__file__).with_name("toy_form.py"), chosen).splitlines()[-1])
    assert found == {
        "undersampling": ["toy stripes", ["acceleration", "n_calibration"]],
        "noise": ["toy share", ["share"]],
        "reconstruction": ["toy network", ["n_features", "seed"]],
        "variance": ["toy pairs", ["n_pairs", "batch"]],
    }
    assert [values[name]["kind"] for name in found] == list(KINDS)


def test_where_the_distribution_is_absent_the_maps_show_and_one_sentence_says_what_is_missing(
    toy: Toy, tmp_path: Path
) -> None:
    results = load_results(toy.folder / "first.h5")
    assert len(results) == 2
    for result in results:
        assert result.estimate is not None
        assert bool((result.estimate.variance_magnitude[result.object] > 0).all())
        assert [choice.kind for choice in choices_in(result.experiment) if isinstance(choice, Absent)] == list(KINDS)
        assert result.missing.startswith("the mask 'toy-stripes' of toy-mri 1.2 and the noise source 'toy-share' of")
        assert result.missing.endswith("are not installed here: what was saved is shown, and cannot be computed again")
    save_results(results, tmp_path / "copy.h5")
    assert load_results(tmp_path / "copy.h5")[0].experiment == results[0].experiment


def test_where_the_distribution_is_absent_a_replay_says_what_is_missing(toy: Toy, tmp_path: Path) -> None:
    words = ("run", str(toy.folder / "exact.h5"), "-e", str(toy.folder / "first.h5"), "-o", str(tmp_path / "x.h5"))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "the method 'toy-pairs' of toy-mri 1.2 are not installed here" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_for_a_newcomer_fits_one_screen_or_two(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) < 90
