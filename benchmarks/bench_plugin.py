"""The plugin while it computes: gaps of the event loop, time to the first image and map, Cancel, memory.

On the sample scan (128 x 128, 8 coils) with the default model, in a real window. "None" is a
window at rest, "first" the first run after the scan was opened, "again" a run with another seed.
"""

import argparse
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median, quantiles

os.environ["NAPARI_CONFIG"] = ""  # the preferences of whoever measures neither count nor change

import pandas as pd
import psutil
import torch
from napari import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.session.models import title_of_model
from mri_noise.variance.sampling.sketch import Sketch

TICK = 5  # [ms] between the beats that the event loop is asked for
N_PROBES = 100
LONGEST = 600  # [s]


class Heartbeat:
    """A timer in the window's thread; the gaps between its beats are what a user feels."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> "Heartbeat":
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()

    def summary(self) -> dict[str, float]:
        """What is reported of the gaps."""
        return {"gap p99 [ms]": quantiles(self.gaps, n=100)[98], "longest gap [ms]": max(self.gaps)}

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append(1e3 * (now - self._last))
        self._last = now


@contextmanager
def window() -> Iterator[NoiseDock]:
    """A window with the sample scan and the main dock."""
    viewer = Viewer()
    viewer.window.resize(1400, 900)
    viewer.open_sample("napari-mri-noise", "brain")
    _, dock = viewer.window.add_plugin_dock_widget("napari-mri-noise", "MRI noise")
    rest(1)
    yield dock
    viewer.close()
    rest(0.5)


def ask(dock: NoiseDock, *, n_probes: int = N_PROBES, seed: int = 0) -> None:
    """Fill the form."""
    experiment = dock.form.value
    variance = Sketch(n_probes=n_probes)
    dock.form.value = experiment.model_copy(update={"variance": variance, "seed": seed})
    rest(0.5)


def wait(happened: Callable[[], bool]) -> float:
    """Let the window live until something happened; seconds."""
    start = time.perf_counter()
    while not happened():
        if time.perf_counter() - start > LONGEST:
            raise TimeoutError("nothing happened")
        QApplication.processEvents()
        time.sleep(0.001)
    return time.perf_counter() - start


def rest(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() > end)


def idle(dock: NoiseDock) -> bool:
    return dock.shared.session.job is None and not dock.shared.busy


def rest_row(seconds: float = 10.0) -> dict[str, str | float]:
    """The gaps of a window that computes nothing: what the machine itself makes of them."""
    with Heartbeat() as beats:
        rest(seconds)
    return {"run": "none", **beats.summary()}


def run_row(dock: NoiseDock, label: str) -> dict[str, str | float]:
    """One run to its end: what the user waits for, and the gaps meanwhile."""
    shared = dock.shared
    with Heartbeat() as beats:
        dock.run_button.click()
        image = wait(lambda: shared.session.latest is not None)
        first = image + wait(lambda: shared.session.latest is None or shared.session.latest.result.estimate is not None)
        whole = first + wait(lambda: idle(dock))
    return {
        "run": label,
        "first image [s]": image,
        "first map [s]": first,
        f"{N_PROBES} probes [s]": whole,
        **beats.summary(),
    }


def cancel_seconds(dock: NoiseDock, seed: int) -> float:
    """From Cancel in the middle of a run to an idle window."""
    ask(dock, n_probes=100_000, seed=seed)
    dock.run_button.click()
    wait(lambda: dock.shared.session.latest is not None and dock.shared.session.latest.result.estimate is not None)
    rest(0.5)
    dock.cancel_button.click()
    return wait(lambda: idle(dock))


def memory() -> float:
    """Memory of this process alone [MB]."""
    gc.collect()
    return psutil.Process().memory_full_info().uss / 1e6


def rounds_table(dock: NoiseDock, n_rounds: int) -> pd.DataFrame:
    """Runs and cancels in turn: memory after each, and how quick Cancel was."""
    seconds, held = [], []
    for number in range(n_rounds):
        ask(dock, n_probes=8, seed=2 * number)
        dock.run_button.click()
        wait(lambda: idle(dock))
        seconds.append(cancel_seconds(dock, 2 * number + 1))
        held.append(memory())
    row = {
        "runs and cancels": n_rounds,
        "Cancel to idle, median [s]": median(seconds),
        "longest [s]": max(seconds),
        "memory after the first [MB]": held[0],
        "after half of them [MB]": held[n_rounds // 2],
        "after the last [MB]": held[-1],
    }
    return pd.DataFrame([row])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="runs and cancels of the memory table")
    arguments = parser.parse_args()
    with window() as dock, pd.option_context("display.width", 200, "display.max_columns", None, "display.precision", 3):
        model = title_of_model(dock.form.value.reconstruction)
        print(f"128 x 128, 8 coils, {model}, {torch.get_num_threads()} threads, {dock.shared.session.status.sentence}")
        ask(dock)
        rows = [rest_row(), run_row(dock, "first")]
        for seed in (1, 2):
            ask(dock, seed=seed)
            rows.append(run_row(dock, "again"))
        print(pd.DataFrame(rows).to_string(index=False))
        print()
        print(rounds_table(dock, arguments.rounds).to_string(index=False))


if __name__ == "__main__":
    main()
