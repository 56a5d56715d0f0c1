"""Training a network as a recipe says."""

import logging
import math
import platform
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from mri_noise.io.inputs import refuse_overwriting
from mri_noise.machine.allocation import keep_freed_memory
from mri_noise.recon.weights.checkpoint import save_network
from mri_noise.signals import Ended
from mri_noise.training.data.sources import Datasets
from mri_noise.training.example import Example
from mri_noise.training.loop.callbacks import Log, Panels, Patience, Waiting
from mri_noise.training.loop.checkpoints import BEST, AtomicFiles, Checkpoints, Interrupted, read_checkpoint
from mri_noise.training.loop.folder import Folder, Start
from mri_noise.training.loop.loading import Examples
from mri_noise.training.loop.module import Training
from mri_noise.training.recipe import Recipe

_EXPECTED = (
    ".*does not have many workers",
    ".*exists and is not empty. Previous log files",
    "GPU available but not used",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # by torch, in Lightning's own code
)
"""Warnings of Lightning about what is meant so."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training ended with.

    Attributes
    ----------
    weights
        File of the network with the best validation, or of the last one where there was no validation.
    n_steps
        Steps of the optimiser.
    n_examples
        Examples seen.
    validation
        (name, value) of each metric of those weights; empty without validation.
    """

    weights: Path
    n_steps: int
    n_examples: int
    validation: tuple[tuple[str, float], ...]

    def table(self) -> pd.DataFrame:
        """Return one row: steps, examples, and the metrics."""
        return pd.DataFrame([{"steps": self.n_steps, "examples": self.n_examples, **dict(self.validation)}])


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    strict: bool = False,
    progress: bool = False,
    source: Path | None = None,
) -> Trained:
    """Train a network and write it to ``folder`` as ``<name>.safetensors``, beside its recipe, checkpoints and log.

    Parameters
    ----------
    resume
        Go on with the training in ``folder``, exactly as if it had not been interrupted.
    strict
        A data file that cannot be used is an error.
    progress
        Show a progress bar.
    source
        File that the recipe was read from, if it was.

    Raises
    ------
    ValueError
        In one sentence: about the recipe, its data, the folder or what it holds, or a gradient that is not finite.
    KeyboardInterrupt
        After a signal that asks the process to end; the message says how to go on.
    """
    recipe = _strict(recipe) if strict else recipe
    place = Folder(folder)
    if not resume and is_first_process():
        place.require_new(recipe.name)
    inputs = {
        "a file that the recipe names": tuple(recipe.files()),
        "the recipe itself": [] if source is None else [source],
    }
    refuse_overwriting(place.outputs(recipe.name, begins=not resume), inputs)
    datasets = _labelled_as_needed(recipe)
    start, module = place.resume(recipe) if resume else Start(), Training(recipe)
    if recipe.initial is not None and start.checkpoint is None:
        module.began_with = recipe.initial.fill(module.network)
    if not resume and is_first_process():
        place.begin(recipe)
    keep_freed_memory()
    with _quiet():
        return _fit(module, datasets, place, start, progress=progress)


def is_first_process() -> bool:
    """Tell whether this process is the one that writes, among all that train together."""
    return not rank_zero_only.rank  # type: ignore[attr-defined]  # which Lightning sets


def _strict(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"strict": True})})


def _labelled_as_needed(recipe: Recipe) -> Datasets:
    """The data of a recipe; ValueError if its objective needs labels that they have not."""
    datasets, needs = recipe.data.open(recipe.seed), recipe.objective.needs
    if needs == "labels":
        return datasets.require_labels()
    if needs == "some labels" and datasets.training.unlabelled_share == 1:
        raise ValueError(
            f"the objective '{recipe.objective.kind}' needs some labelled examples, and there are none; set "
            "data.n_labelled to 1 or more and data.unlabelled_share to less than 1"
        )
    return datasets


def _fit(module: Training, datasets: Datasets, folder: Folder, start: Start, *, progress: bool) -> Trained:
    recipe, waiting = module.recipe, Waiting()
    settings = recipe.trainer
    validation = [example for example in datasets.validation if example.target is not None]
    log = Log(settings.log_interval, waiting)
    checkpoints = Checkpoints(folder.checkpoints, recipe, validates=bool(validation))
    callbacks = [log, checkpoints, *_optional_callbacks(recipe, validation, progress=progress)]
    trainer = _trainer(recipe, folder, start, callbacks, waiting)
    examples = Examples(
        datasets.training,
        validation,
        n_examples=settings.n_steps * settings.batch_size,
        n_together=settings.n_together,
        n_workers=recipe.machine.n_workers,
    )
    with _one_sentence(folder):
        trainer.fit(module, datamodule=examples, ckpt_path=start.checkpoint, weights_only=True)
    if checkpoints.best:
        _load_best(module, folder)
    trained = Trained(
        weights=folder.weights(recipe.name),
        n_steps=trainer.global_step,
        n_examples=trainer.global_step * settings.batch_size,
        validation=tuple(checkpoints.best.items()),
    )
    if trainer.is_global_zero:
        save_network(module.network, trained.weights, _provenance(module, trained, checkpoints, log), recipe.network)
    return trained


def _optional_callbacks(recipe: Recipe, validation: Sequence[Example], *, progress: bool) -> Iterator[Callback]:
    settings = recipe.trainer
    if validation and settings.panel_interval:
        yield Panels(settings.panel_interval)
    if validation and settings.patience is not None:
        mode = "min" if settings.monitor == "nrmse" else "max"
        yield Patience(settings.monitor, patience=settings.patience, mode=mode)
    if progress:
        yield RichProgressBar(console_kwargs={"stderr": True})


def _trainer(recipe: Recipe, folder: Folder, start: Start, callbacks: list[Callback], waiting: Waiting) -> Trainer:
    settings, machine, part = recipe.trainer, recipe.machine, f"from_step_{start.step}"
    try:
        trainer = Trainer(
            accelerator=machine.accelerator,
            devices=machine.devices,
            num_nodes=machine.n_nodes,
            strategy=machine.strategy,
            precision=settings.precision,
            logger=[
                CSVLogger(folder.logs, name="", version=part, flush_logs_every_n_steps=1),
                TensorBoardLogger(folder.logs, name="", version=part, default_hp_metric=False),
            ],
            callbacks=callbacks,
            plugins=[AtomicFiles()],
            profiler=waiting,
            default_root_dir=folder.path,
            max_steps=settings.n_steps,
            gradient_clip_val=settings.clip_norm,
            log_every_n_steps=settings.n_steps,  # the log is written by its callback
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            enable_progress_bar=any(isinstance(callback, RichProgressBar) for callback in callbacks),
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
    except MisconfigurationException as error:
        raise ValueError(f"this machine cannot train as 'machine' says: {' '.join(str(error).split())}") from None
    trainer.accumulate_grad_batches = _parts_of_step(recipe, trainer.world_size, start)
    trainer.val_check_interval = settings.validation_interval * trainer.accumulate_grad_batches
    return trainer


def _parts_of_step(recipe: Recipe, n_processes: int, start: Start) -> int:
    """Number of times that each process computes a few examples for a step."""
    batch_size, at_once = recipe.trainer.batch_size, n_processes * recipe.trainer.n_together
    if batch_size % at_once:
        raise ValueError(
            f"trainer.batch_size should be a multiple of the {at_once} examples that are computed at once "
            f"({recipe.trainer.n_together} in each process, as trainer.n_together says), got {batch_size}"
        )
    if start.n_processes not in {None, n_processes}:
        raise ValueError(
            f"the training was begun with a number of processes of {start.n_processes} and cannot be continued with "
            f"{n_processes}; set machine.devices and machine.n_nodes as before"
        )
    return batch_size // at_once


@contextmanager
def _one_sentence(folder: Folder) -> Iterator[None]:
    """Say how an interrupted training goes on, and what to do about too little memory."""
    resume = f"continue it with: mri-noise train {folder.recipe} --output {folder.path} --resume"
    try:
        yield
    except Interrupted as stop:
        raise Ended(
            stop.number, f"the training was stopped, and its state after step {stop.step} was saved; {resume}"
        ) from None
    except SystemExit:  # what Lightning makes of an interrupt that it has to obey at once
        raise KeyboardInterrupt(f"the training was stopped, and its latest checkpoint was kept; {resume}") from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise ValueError(
            "not enough memory for this network and its examples; lower data.draws.max_size or the network's size"
        ) from None


def _load_best(module: Training, folder: Folder) -> None:
    best = read_checkpoint(folder.checkpoints / BEST)
    if best is None:
        raise ValueError(f"'{folder.checkpoints / BEST}' cannot be read; train anew with another --output")
    prefix = "network."
    tensors = {name.removeprefix(prefix): t for name, t in best["state_dict"].items() if name.startswith(prefix)}
    module.network.load_state_dict(tensors)


def _provenance(module: Training, trained: Trained, checkpoints: Checkpoints, log: Log) -> dict[str, Any]:
    packages = ("napari-mri-noise", "torch", "lightning", "torchmetrics", "numpy")
    return {
        "recipe": module.recipe.model_dump(mode="json"),
        "seed": module.recipe.seed,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "n_steps": trained.n_steps,
        "n_examples": trained.n_examples,
        "best_step": checkpoints.best_step or trained.n_steps,
        "validation": dict(trained.validation),
        "history": [{name: _finite(value) for name, value in entry.items()} for entry in log.history],
        "began_with": module.began_with,
    }


def _finite(value: int | float) -> int | float | None:
    """The value; None, as JSON knows no other, for the loss of a step whose image was too bright to square."""
    return value if math.isfinite(value) else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's hints to itself."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in _EXPECTED:
            warnings.filterwarnings("ignore", message)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
