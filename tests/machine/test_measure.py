import mmap
import time
from types import SimpleNamespace

import pytest
import torch

from mri_noise.machine import measure
from mri_noise.machine.measure import Meter

CPU = torch.device("cpu")


class Clock:
    """Stands still but for what is told to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_memory_that_was_held_for_a_moment_counts() -> None:
    meter = Meter(CPU, interval=0.001)
    with meter, mmap.mmap(-1, 100_000_000) as held:  # fresh memory, not what was freed before and kept
        for start in range(0, len(held), mmap.PAGESIZE):
            held[start] = 1
        while meter.cost.peak_memory < 90e6:  # however long a busy machine lets the thread that measures wait
            time.sleep(0.001)
    assert meter.cost.peak_memory < 200e6


def test_seconds_add_up_over_uses_and_leave_out_what_is_between(clock: Clock) -> None:
    meter = Meter(CPU)
    for inside, between in ((0.25, 8.0), (0.5, 16.0)):
        with meter:
            clock.now += inside
        clock.now += between
    assert meter.cost.seconds == 0.75


def test_an_error_passes_through_and_is_measured(clock: Clock) -> None:
    meter = Meter(CPU)
    with pytest.raises(ValueError, match="in the midst"), meter:
        clock.now += 0.25
        raise ValueError("in the midst")
    assert meter.cost.seconds == 0.25
