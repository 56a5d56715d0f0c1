import mmap
import time

import torch

from mri_noise.measure import Meter

CPU = torch.device("cpu")


def test_memory_that_was_held_for_a_moment_counts() -> None:
    meter = Meter(CPU, interval=0.001)
    with meter, mmap.mmap(-1, 100_000_000) as held:  # fresh memory, not what was freed before and kept
        for start in range(0, len(held), mmap.PAGESIZE):
            held[start] = 1
        time.sleep(0.05)
    assert 90e6 < meter.cost.peak_memory < 200e6


def test_seconds_add_up_over_uses_and_leave_out_what_is_between() -> None:
    meter = Meter(CPU)
    for _ in range(2):
        with meter:
            time.sleep(0.05)
        time.sleep(0.2)
    assert 0.1 <= meter.cost.seconds < 0.2


def test_an_error_passes_through_and_is_measured() -> None:
    meter = Meter(CPU)
    try:
        with meter:
            time.sleep(0.02)
            raise ValueError
    except ValueError:
        pass
    assert meter.cost.seconds >= 0.02
