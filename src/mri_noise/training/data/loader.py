"""Batches of examples, drawn in this process or in worker processes."""

import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mri_noise.signals import ASKING
from mri_noise.training.data.stream import ExampleStream
from mri_noise.training.example import Example

Batch = list[Example]
_ALIGNMENT = 16
"""Bytes to whose multiples each part of an array of bytes is aligned: no number is longer."""


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
        self._stream = stream
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
            self._stream,
            batch_sampler=remaining,
            num_workers=self._n_workers,
            collate_fn=_packed,
            worker_init_fn=_leave_interrupts_to_the_training,
            generator=torch.Generator(),  # or it would draw from the global one
        )
        for parcel in loader:
            self._n_given += 1
            yield list(_unpacked(parcel))

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
    """Examples as one array of bytes, and where in it the parts of each are.

    A tensor travels between processes by shared memory and a file descriptor, of which there are few: one for a batch.
    """

    content: Tensor
    labels: tuple["_Label", ...]

    def at(self, place: "_Place") -> Tensor:
        """View a part."""
        part = self.content[place.start : place.start + place.n_bytes]
        return part.view(place.dtype).reshape(place.shape)


@dataclass(frozen=True, slots=True)
class _Label:
    kspace: "_Place"
    mask: "_Place"
    coil_maps: "_Place"
    target: "_Place | None"
    noise_level: float
    seed: int


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _leave_interrupts_to_the_training(worker: int) -> None:
    """Ctrl-C and a batch system's signals reach workers too, whose training still wants to save its state."""
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)


def _packed(examples: list[Example]) -> _Parcel:
    placed: list[tuple[_Place, Tensor]] = []
    end = 0

    def place(tensor: Tensor) -> _Place:
        nonlocal end
        where = _Place(end, tuple(tensor.shape), tensor.dtype)
        placed.append((where, tensor))
        end += -(-where.n_bytes // _ALIGNMENT) * _ALIGNMENT
        return where

    labels = tuple(
        _Label(
            kspace=place(example.kspace),
            mask=place(example.mask),
            coil_maps=place(example.coil_maps),
            target=None if example.target is None else place(example.target),
            noise_level=example.noise_level,
            seed=example.seed,
        )
        for example in examples
    )
    parcel = _Parcel(torch.empty(end, dtype=torch.uint8), labels)
    for where, tensor in placed:
        parcel.at(where).copy_(tensor)
    return parcel


def _unpacked(parcel: _Parcel) -> Iterator[Example]:
    for label in parcel.labels:
        yield Example(
            kspace=parcel.at(label.kspace),
            mask=parcel.at(label.mask),
            coil_maps=parcel.at(label.coil_maps),
            target=None if label.target is None else parcel.at(label.target),
            noise_level=label.noise_level,
            seed=label.seed,
        )
