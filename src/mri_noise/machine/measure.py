"""Seconds and peak memory of a computation."""

import threading
import time
from dataclasses import dataclass
from types import TracebackType

import psutil
import torch


@dataclass(frozen=True, slots=True)
class Cost:
    """What a computation took.

    Attributes
    ----------
    seconds
        Elapsed [s].
    peak_memory
        The most memory held at one time beyond what was held at the start [bytes]: of the device on CUDA, of the
        process on the CPU, where memory that the process had freed but kept does not show.
    """

    seconds: float
    peak_memory: int


class Meter:
    """Context that measures what runs inside; entered again, it adds up the seconds and keeps the highest peak."""

    def __init__(self, device: torch.device, *, interval: float = 0.005) -> None:
        self._device = device
        self._interval = interval
        self._seconds = 0.0
        self._peak = self._base = self._memory()

    @property
    def cost(self) -> Cost:
        """The cost of what has run inside so far."""
        return Cost(self._seconds, self._peak - self._base)

    def __enter__(self) -> "Meter":
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._watch, name="memory meter", daemon=True)
            self._thread.start()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._seconds += time.perf_counter() - self._start
        if self._device.type == "cuda":
            self._peak = max(self._peak, torch.cuda.max_memory_allocated(self._device))
        else:
            self._stop.set()
            self._thread.join()
            self._peak = max(self._peak, self._memory())

    def _memory(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.memory_allocated(self._device)
        return psutil.Process().memory_info().rss

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self._peak = max(self._peak, self._memory())


def free_memory(device: torch.device) -> int:
    """Memory of a GPU that is free, or that torch keeps for its next arrays [bytes]."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
