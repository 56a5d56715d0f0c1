"""End processes by signals amid their writes, and see what they leave: the former file, the new one, or a damaged one.

Half of the signals are placed: the process sends them to itself around its n-th call of a draft's ``write`` or
``truncate``, of ``fsync`` or of a rename, n over all of them. The other half come from outside, after delays over the
time that a write takes. Every second process raises on signals, as the command does; the others die of them, as a
program does that calls the library. Run with::

    python benchmarks/bench_signals.py [--placed 100] [--files HDF5 NIfTI]

Each write waits for the disk; TMPDIR=/dev/shm makes it quick.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.io.random_results import random_result

from mri_noise import atomic
from mri_noise.atomic import Draft
from mri_noise.io.nifti import load_nifti, save_nifti
from mri_noise.io.results import load_results, save_results
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.weights.checkpoint import load_network, save_network
from mri_noise.recon.weights.weights_file import read_weights
from mri_noise.report import draw
from mri_noise.signals import ENDING, Ended, raise_when_asked_to_end
from mri_noise.training.loop.checkpoints import AtomicFiles

SIGNALS = (
    *(signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT),
    *(signal.SIGALRM, signal.SIGKILL),
)
FORMER, NEW = ([random_result(i, seed=seed, rows=24, columns=20) for i in range(3)] for seed in (1, 2))
NETWORKS = [UNetSettings(n_channels=4, n_pools=2, seed=seed)() for seed in (1, 2)]
PICTURES = [np.random.default_rng(seed).random((30, 40)) for seed in (1, 2)]


def _write_figure(which: int, folder: Path) -> None:
    figure = Figure(figsize=(2, 2))
    figure.subplots().imshow(PICTURES[which])
    draw(figure, folder / "out.png")


WRITERS: dict[str, Callable[[int, Path], Any]] = {
    "HDF5": lambda which, folder: save_results(iter((FORMER, NEW)[which]), folder / "out.h5"),
    "NIfTI": lambda which, folder: save_nifti((FORMER, NEW)[which], folder / "out.nii.gz"),
    "weights": lambda which, folder: save_network(NETWORKS[which], folder / "w.safetensors", {}),
    "checkpoint": lambda which, folder: AtomicFiles().save_checkpoint(NETWORKS[which].state_dict(), folder / "a.ckpt"),
    "figure": _write_figure,
}
READERS: dict[str, Callable[[Path], Any]] = {
    ".h5": load_results,
    ".gz": load_nifti,
    ".safetensors": load_network,
    ".ckpt": lambda path: torch.load(path, weights_only=True),
    ".png": lambda path: path.read_bytes(),
}


@contextmanager
def announced(announce: Callable[[], None]) -> Iterator[None]:
    """Call a function before and after each step of a write."""

    def around(step: Callable[..., Any]) -> Callable[..., Any]:
        def both(*arguments: Any) -> Any:
            announce()
            value = step(*arguments)
            announce()
            return value

        return both

    with (
        patch.object(Draft, "write", around(Draft.write)),
        patch.object(Draft, "truncate", around(Draft.truncate)),
        patch.object(atomic.os, "fsync", around(os.fsync)),
        patch.object(Path, "replace", around(Path.replace)),
    ):
        yield


def in_child(work: Callable[[], Any], *, raises: bool) -> int:
    """Start a process that does something, and return its number; it ends as the command does, or dies."""
    process = os.fork()
    if process:
        return process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in ENDING:  # a shell lets what it starts in the background ignore some
        signal.signal(number, signal.SIG_DFL)
    if raises:
        raise_when_asked_to_end()
    status = 0
    try:
        work()
    except Ended as ended:
        status = 128 + ended.number
    except BaseException:
        status = 1
    os._exit(status)  # when the exception is gone, and with it what its traceback kept alive, as in the command


def sent_within(number: int, position: int) -> Callable[[], None]:
    """A function whose call of a position sends a signal to its own process."""
    calls = Counter[str]()

    def announce() -> None:
        calls["all"] += 1
        if calls["all"] == position:
            os.kill(os.getpid(), number)

    return announce


def placed(write: Callable[[], Any], number: int, position: int, *, raises: bool) -> int:
    """Let a process send itself a signal at a step of its write; return how it ended."""

    def work() -> None:
        with announced(sent_within(number, position)):
            write()

    return os.waitpid(in_child(work, raises=raises), 0)[1]


def asynchronous(write: Callable[[], Any], number: int, delay: float, *, raises: bool) -> int:
    """Send a signal to a process after a delay; return how it ended."""
    ready, begun = os.pipe()

    def work() -> None:
        os.write(begun, b"x")
        write()

    process = in_child(work, raises=raises)
    os.read(ready, 1)
    os.close(ready), os.close(begun)
    until = time.perf_counter() + delay
    while time.perf_counter() < until:
        pass
    os.kill(process, number)
    return os.waitpid(process, 0)[1]


def contents(folder: Path) -> dict[str, bytes]:
    """What the files of a folder hold, drafts left out."""
    return {path.name: _content(path) for path in folder.iterdir() if path.suffix != ".draft"}


def _content(path: Path) -> bytes:
    """The bytes of a file; of weights, whose header is never in the same order, their checksum."""
    with suppress(ValueError):
        if path.suffix == ".safetensors":
            load_network(path)
            return read_weights(path).metadata["sha256"].encode()
    return path.read_bytes()


def n_drafts(folder: Path) -> int:
    """How many drafts were left."""
    return sum(path.suffix == ".draft" for path in folder.iterdir())


def verdict(folder: Path, former: dict[str, bytes], new: dict[str, bytes]) -> str:
    """What is in a folder: all former, all new, some of each, or something else."""
    found = contents(folder)
    if found == former:
        return "former"
    try:
        for path in folder.iterdir():
            if path.suffix != ".draft":
                READERS[path.suffix](path)
    except Exception:
        return "damaged"
    if found == new:
        return "new"
    whole = found.keys() == new.keys() and all(found[name] in (former[name], new[name]) for name in found)
    return "mixed" if whole else "damaged"


def ending(status: int, number: int, *, raises: bool) -> str:
    """How a process ended: by its signal, which is with 128 + n where it raises; ready, at exit status 0; or else."""
    code = os.waitstatus_to_exitcode(status)
    by_signal = 128 + number if raises and number != signal.SIGKILL else -number
    return {by_signal: "ended by it", 0: "not ended"}.get(code, "ended otherwise")


def duration(write: Callable[[], Any]) -> float:
    """Seconds of a write in a process of its own, the median of five."""

    def timed() -> float:
        start = time.perf_counter()
        os.waitpid(in_child(write, raises=True), 0)
        return time.perf_counter() - start

    return sorted(timed() for _ in range(5))[2]


def n_steps(write: Callable[[], Any]) -> int:
    """How often a write announces a step."""
    calls: list[None] = []
    with announced(lambda: calls.append(None)):
        write()
    return len(calls)


def row(name: str, number: signal.Signals, n_placed: int, folder: Path) -> dict[str, Any]:
    """Place signals of one kind amid writes of one kind, and count what they leave."""
    write_either = WRITERS[name]
    write_either(1, folder)
    write = partial(write_either, 1, folder)
    new, seconds, steps = contents(folder), duration(write), n_steps(write)
    write_either(0, folder)
    former, counts = contents(folder), Counter[str]()
    for trial in range(n_placed):
        raises, half = trial % 4 < 2, n_placed // 2
        if trial % 2:
            status = asynchronous(write, number, trial / n_placed * seconds, raises=raises)
        else:
            status = placed(write, number, 1 + trial // 2 * steps // half, raises=raises)
        counts[verdict(folder, former, new)] += 1
        how = ending(status, number, raises=raises)
        counts["came too late" if how == "not ended" and trial % 2 else how] += 1
        counts["drafts left, raising"] += raises * n_drafts(folder)
        counts["drafts left, dying"] += (not raises) * n_drafts(folder)
        write_either(0, folder)
        counts["strays"] += n_drafts(folder) + (contents(folder) != former)
    kinds = ("former", "new", "mixed", "damaged", "ended by it", "came too late", "not ended", "ended otherwise")
    left = ("drafts left, raising", "drafts left, dying", "strays")
    return {"file": name, "signal": number.name, "placed": n_placed, **{kind: counts[kind] for kind in kinds + left}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--placed", type=int, default=100, help="Signals of each kind, for each kind of file")
    parser.add_argument("--files", nargs="+", choices=WRITERS, default=list(WRITERS), help="Kinds of files")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.files:
        rows = []
        for number in SIGNALS:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(row(name, number, given.placed, Path(folder)))
        print(pd.DataFrame(rows).to_string(index=False), flush=True)
    print("'came too late': it was ready before a signal from outside reached it; 'not ended': a signal was lost;")
    print("'strays' counts drafts, and files that are not as written, after the next write.")


if __name__ == "__main__":
    main()
