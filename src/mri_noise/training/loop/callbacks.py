"""What a training writes to its log: losses, learning rate, speed, validation and image panels."""

import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.profilers import Profiler
from torch import Tensor

from mri_noise.training.example import Example
from mri_noise.training.loop.checkpoints import completes_step
from mri_noise.training.loop.module import Training

_FETCHING = "[_TrainingEpochLoop].train_dataloader_next"


class Waiting(Profiler):
    """Adds up the seconds that a training waits for its examples."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._since = 0.0

    def start(self, action_name: str) -> None:
        if action_name == _FETCHING:
            self._since = time.perf_counter()

    def stop(self, action_name: str) -> None:
        if action_name == _FETCHING:
            self.seconds += time.perf_counter() - self._since


class Log(Callback):
    """Writes an entry at every interval: losses, learning rate, examples a second, share of time spent waiting.

    Time spent on validation and checkpoints does not count.

    Attributes
    ----------
    history
        One entry a validation: its step, the mean loss since the one before, and the metrics.
    """

    def __init__(self, interval: int, waiting: Waiting) -> None:
        self.history: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._interval = interval
        self._waiting = waiting
        self._started = 0.0
        self._reset()

    def _reset(self) -> None:
        self._n_examples = 0
        self._working = 0.0
        self._waited_before = self._waiting.seconds

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "losses": self._losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history, self._losses = state_dict["history"], state_dict["losses"]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._working += time.perf_counter() - self._started
        self._n_examples += trainer.world_size * len(batch)
        due = trainer.global_step % self._interval == 0 or trainer.global_step == trainer.max_steps
        if due and completes_step(trainer, batch_idx):
            assert isinstance(pl_module, Training)
            self._write(trainer, pl_module)

    def _write(self, trainer: Trainer, module: Training) -> None:
        losses = module.take_losses()
        self._losses.append(losses["loss"])
        waited = self._waiting.seconds - self._waited_before
        elapsed = waited + self._working
        speed = {"examples_per_second": self._n_examples / elapsed, "share_waiting_for_data": waited / elapsed}
        rate = {"learning_rate": trainer.optimizers[0].param_groups[0]["lr"]}
        log(trainer, {**losses, **rate, **speed})
        self._reset()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        log(trainer, {f"validation/{name}": value for name, value in metrics.items()})
        losses, self._losses = self._losses, []
        loss = {"loss": sum(losses) / len(losses)} if losses else {}
        self.history.append({"step": trainer.global_step, **loss, **metrics})


def log(trainer: Trainer, values: dict[str, float]) -> None:
    """Write values to every log, at the present step."""
    for logger in trainer.loggers:
        logger.log_metrics(values, step=trainer.global_step)


class Panels(Callback):
    """Shows the first validation example: input, output, target, and the error five times enlarged."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._n_validations = 0

    def on_validation_batch_end(  # noqa: PLR0917, which is Lightning's
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx > 0:
            return
        if trainer.is_global_zero and self._n_validations % self._interval == 0:
            assert isinstance(pl_module, Training)
            self._draw(trainer, pl_module, batch)
        self._n_validations += 1

    @staticmethod
    def _draw(trainer: Trainer, module: Training, example: Example) -> None:
        images = panel(module, example)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_images("input, output, target, 5 x error", images, trainer.global_step)


def panel(module: Training, example: Example) -> Tensor:
    """Return input, output, target and the error times five, as magnitudes from 0 to 1: (4, 1, rows, columns)."""
    assert example.target is not None
    output = module.network(example.kspace, example.encoding).abs()
    zero_filled, target = example.encoding.adjoint(example.kspace).abs(), example.target.abs()
    images = torch.stack([zero_filled, output, target, 5 * (output - target).abs()])
    return (images / target.max()).clamp(0, 1)[:, None].detach().cpu()


class Patience(EarlyStopping):
    """Ends a training that makes no progress, also one that was interrupted right then."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience
