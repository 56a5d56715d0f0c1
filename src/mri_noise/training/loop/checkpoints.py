"""The state of a training on the disk: when it is written, and what a resumption finds there."""

import re
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from mri_noise.atomic import replacing
from mri_noise.signals import ASKING, Ended, held
from mri_noise.training.loop.module import N_PROCESSES, RECIPE
from mri_noise.training.recipe import Recipe

BEST = "best.ckpt"
_N_KEPT = 2


class Interrupted(Exception):
    """The user or the batch system wants the training to stop, by a signal; its state is on the disk."""

    def __init__(self, step: int, number: int) -> None:
        super().__init__(step, number)
        self.step, self.number = step, number


class AtomicFiles(CheckpointIO):
    """Checkpoints that are written whole or not at all, and hold nothing but tensors and plain values."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file, held():
            torch.save(checkpoint, file)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        return torch.load(path, map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


class Checkpoints(Checkpoint):
    """Writes the state at every interval, after every validation, at the end, and when the training is interrupted.

    A checkpoint always lies between two steps, and after the validation between them if there is one, so that a
    resumption repeats nothing. The two latest are kept, and the one with the best validation.

    Attributes
    ----------
    best, best_step
        Metrics of the best validation, and its step; empty before the first one.

    Raises
    ------
    Interrupted
        After a signal that asks the process to end, when the state has been written.
    """

    def __init__(self, folder: Path, recipe: Recipe, *, validates: bool) -> None:
        self._folder = folder
        self._trainer_settings = recipe.trainer
        self._validates = validates
        self.best: dict[str, float] = {}
        self.best_step = 0
        self._signalled: int | None = None
        self._handlers: dict[int, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            heeded = [each for each in ASKING if signal.getsignal(each) not in {None, signal.SIG_IGN}]
            self._handlers = {each: signal.signal(each, self._note) for each in heeded}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop_listening()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop_listening()

    def _stop_listening(self) -> None:
        for each, handler in self._handlers.items():
            signal.signal(each, handler)
        self._handlers = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signalled is not None:  # whoever asks twice cannot wait
            raise Ended(number)
        self._signalled = number

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not completes_step(trainer, batch_idx):
            return
        settings, step = self._trainer_settings, trainer.global_step
        last = step == settings.n_steps
        if self._validates and (last or step % settings.validation_interval == 0):
            trainer.should_stop = trainer.should_stop or last  # which makes Lightning validate now
            return
        self._save(trainer, due=last or step % settings.checkpoint_interval == 0)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not self.best or self._score(values) > self._score(self.best):
            self.best, self.best_step = values, trainer.global_step
            trainer.save_checkpoint(self._folder / BEST)
        self._save(trainer, due=True)

    def _score(self, values: Mapping[str, float]) -> float:
        monitor = self._trainer_settings.monitor
        return -values[monitor] if monitor == "nrmse" else values[monitor]

    def _save(self, trainer: Trainer, *, due: bool) -> None:
        interrupted = trainer.strategy.reduce_boolean_decision(self._signalled is not None, all=False)
        if due or interrupted:
            trainer.save_checkpoint(self._folder / f"step_{trainer.global_step:08d}.ckpt")
            if trainer.is_global_zero:
                for path in by_age(self._folder)[_N_KEPT:]:
                    path.unlink()
            for logger in trainer.loggers:
                logger.save()
        if interrupted:
            raise Interrupted(trainer.global_step, self._signalled or signal.SIGTERM)  # another process's signal


def completes_step(trainer: Trainer, batch_idx: int) -> bool:
    """Tell whether the examples that were just seen are the last of their step."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


def by_age(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the latest first."""
    return sorted(folder.glob("step_*.ckpt"), key=lambda path: int(re.sub(r"\D", "", path.stem) or 0), reverse=True)


def latest(folder: Path) -> tuple[Path, Mapping[str, Any]] | None:
    """Return the latest checkpoint that can be read, and what it holds; None if none was written yet.

    Raises
    ------
    ValueError
        If there are checkpoints, and none can be read.
    """
    paths = by_age(folder)
    for path in paths:
        content = read_checkpoint(path)
        if content is not None:
            return path, content
    if paths:
        raise ValueError(
            f"none of the {len(paths)} checkpoints in '{folder}' can be read; start again with another --output"
        )
    return None


def read_checkpoint(path: Path) -> Mapping[str, Any] | None:
    """Read a checkpoint of this program, with no code run; None if it is damaged or anything else."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return None
    return content if isinstance(content, dict) and {RECIPE, N_PROCESSES, "state_dict"} <= content.keys() else None
