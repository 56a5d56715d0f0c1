"""Which examples each process of a training reads."""

from collections.abc import Sequence

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from mri_noise.training.data.loader import ExampleLoader
from mri_noise.training.data.stream import ExampleStream
from mri_noise.training.example import Example


class Examples(LightningDataModule):
    """The examples of a training, a few at a time; several processes take turns.

    Parameters
    ----------
    validation
        Labelled examples.
    n_examples
        Number of examples to train on, of all processes.
    n_together
        How many each process is given at a time.
    """

    def __init__(
        self,
        training: ExampleStream,
        validation: Sequence[Example],
        *,
        n_examples: int,
        n_together: int,
        n_workers: int,
    ) -> None:
        super().__init__()
        self._training = training
        self._validation = validation
        self._n_examples = n_examples
        self._n_together = n_together
        self._n_workers = n_workers

    def train_dataloader(self) -> ExampleLoader:
        rank, n_processes = self._turn()
        return ExampleLoader(
            self._training,
            batch_size=self._n_together,
            n_steps=self._n_examples // (n_processes * self._n_together),
            n_workers=self._n_workers,
            rank=rank,
            world_size=n_processes,
        )

    def val_dataloader(self) -> DataLoader[Example]:
        rank, n_processes = self._turn()
        mine = range(rank, len(self._validation), n_processes)
        return DataLoader(
            self._validation,  # type: ignore[arg-type]  # any sequence will do
            sampler=mine,
            batch_size=None,
            generator=torch.Generator(),
        )

    def _turn(self) -> tuple[int, int]:
        """Rank of this process, and number of processes."""
        assert self.trainer is not None  # Lightning asks for examples during a training only
        return self.trainer.global_rank, self.trainer.world_size
