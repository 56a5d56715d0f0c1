"""Batches of examples, drawn in this process or in worker processes."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from mri_noise.training.example import Example
from mri_noise.training.stream import ExampleStream

Batch = list[Example]


class ExampleLoader:
    """Batches of an endless stream, of which ``n_steps`` make an epoch; the next epoch goes on in the stream.

    With several processes each takes its part of every global batch, so that together they see the examples that one
    process with batches of ``batch_size`` times ``world_size`` would see. The state is the number of batches given
    out; a loader that loads it gives out the next one, in the middle of an epoch too.
    """

    def __init__(
        self,
        stream: ExampleStream,
        *,
        batch_size: int,
        n_steps: int,
        n_workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._parcels = _Parcels(stream)
        self._n_steps = n_steps
        self._n_workers = n_workers
        self._rank, self._world_size = rank, world_size
        self._n_at_once = batch_size * world_size
        self._n_given = 0

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._n_steps

    def __iter__(self) -> Iterator[Batch]:
        """Give out what is left of this epoch."""
        end = (self._n_given // self._n_steps + 1) * self._n_steps
        remaining = [self._numbers(step) for step in range(self._n_given, end)]
        loader = DataLoader(
            self._parcels,
            batch_sampler=remaining,
            num_workers=self._n_workers,
            collate_fn=_as_they_are,
            worker_init_fn=_leave_interrupts_to_the_training,
            generator=torch.Generator(),  # or it would draw from the global one
        )
        for parcels in loader:
            self._n_given += 1
            yield [_unpacked(parcel) for parcel in parcels]

    def state_dict(self) -> dict[str, int]:
        """Return how many batches were given out."""
        return {"n_given": self._n_given}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on after that many batches."""
        self._n_given = state_dict["n_given"]

    def _numbers(self, step: int) -> list[int]:
        """Numbers of this process's examples in a step."""
        first = step * self._n_at_once
        return list(range(first + self._rank, first + self._n_at_once, self._world_size))


@dataclass(frozen=True, slots=True)
class _Parcel:
    """An example as NumPy arrays, which travel between processes by value.

    Tensors would travel by shared memory and file descriptors, of which there are few.
    """

    kspace: NDArray[np.complex64]
    mask: NDArray[np.bool_]
    coil_maps: NDArray[np.complex64]
    target: NDArray[np.complex64] | None
    noise_level: float
    seed: int


@dataclass(frozen=True, slots=True)
class _Parcels(Dataset[_Parcel]):
    """The examples of a stream by number."""

    stream: ExampleStream

    def __getitem__(self, index: int) -> _Parcel:
        example = self.stream[index]
        return _Parcel(
            kspace=example.kspace.numpy(),
            mask=example.mask.numpy(),
            coil_maps=example.coil_maps.numpy(),
            target=None if example.target is None else example.target.numpy(),
            noise_level=example.noise_level,
            seed=example.seed,
        )


def _leave_interrupts_to_the_training(worker: int) -> None:
    """Ctrl-C and a batch system's SIGTERM reach workers too, whose training still wants to save its state."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _as_they_are(parcels: list[_Parcel]) -> list[_Parcel]:
    return parcels


def _unpacked(parcel: _Parcel) -> Example:
    return Example(
        kspace=torch.from_numpy(parcel.kspace),
        mask=torch.from_numpy(parcel.mask),
        coil_maps=torch.from_numpy(parcel.coil_maps),
        target=None if parcel.target is None else torch.from_numpy(parcel.target),
        noise_level=parcel.noise_level,
        seed=parcel.seed,
    )
