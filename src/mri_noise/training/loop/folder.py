"""The folder of a training: what lies where in it, how a training begins in it, and how one goes on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mri_noise.atomic import replacing
from mri_noise.settings import read_yaml
from mri_noise.training.loop.checkpoints import latest
from mri_noise.training.loop.module import N_PROCESSES, RECIPE
from mri_noise.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Start:
    """Where a training goes on: at the beginning, if no checkpoint was written yet."""

    checkpoint: Path | None = None
    step: int = 0
    n_processes: int | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one training."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The complete recipe."""
        return self.path / "recipe.yaml"

    @property
    def checkpoints(self) -> Path:
        """Where the state is kept."""
        return self.path / "checkpoints"

    @property
    def logs(self) -> Path:
        """Where each part of an interrupted training has its log, as CSV and for TensorBoard."""
        return self.path / "logs"

    def weights(self, name: str) -> Path:
        """The file of the trained network."""
        return self.path / f"{name}.safetensors"

    def outputs(self, name: str, *, begins: bool) -> Iterator[Path]:
        """Every file that a training may write, or remove."""
        yield self.weights(name)
        if begins:
            yield self.recipe
        for folder in (self.checkpoints, self.logs):
            yield from folder.rglob("*")

    def require_new(self, name: str) -> None:
        """Raise ValueError if the folder holds a training already."""
        if self.weights(name).exists() or any(self.checkpoints.glob("[!.]*.ckpt")):
            raise ValueError(
                f"there is a training in '{self.path}' already; continue it with --resume, or give another --output"
            )

    def begin(self, recipe: Recipe) -> None:
        """Write the recipe; ValueError if the folder cannot be written."""
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"cannot write into '{self.path}' ({error.strerror}); give another --output") from None
        with replacing(self.recipe) as file:
            file.write(recipe.to_yaml().encode())

    def resume(self, recipe: Recipe) -> Start:
        """Find the latest checkpoint that can be read.

        Raises
        ------
        ValueError
            If there is no training, if it is of another recipe, or if none of its checkpoints can be read.
        """
        if not self.recipe.is_file():
            raise ValueError(f"there is no training in '{self.path}' to continue; leave out --resume")
        found = latest(self.checkpoints)
        saved = read_yaml(self.recipe) if found is None else found[1][RECIPE]
        difference = next(_differences(_decisive(saved), _decisive(recipe.model_dump(mode="json"))), None)
        if difference is not None:
            raise ValueError(
                f"the training in '{self.path}' has another recipe, {difference}; continue it with '{self.recipe}', "
                "or give another --output"
            )
        return Start() if found is None else Start(found[0], found[1]["global_step"], found[1][N_PROCESSES])


def _decisive(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What the weights depend on."""
    data = {name: value for name, value in recipe["data"].items() if name not in ("cache", "strict")}
    return {name: value for name, value in {**recipe, "data": data}.items() if name != "machine"}


def _differences(saved: Mapping[str, Any], given: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for name in {**saved, **given}:
        before, now = saved.get(name), given.get(name)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _differences(before, now, f"{where}{name}.")
        elif before != now:
            yield f"in which {where}{name} is {before} and not {now}"
