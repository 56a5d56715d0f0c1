"""Two source trees side by side in one run: forwards, both products of the derivative, and whole maps of the noise.

Each tree has a process of its own for each reconstruction, and the two take turns, now one first and now the other. A
ratio is the median over the pairs of turns; beside it are the quartiles of these ratios, which say how far it is to be
trusted. The sample scan, default settings, one slice. What is asked of a tree is the same for all its versions.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from record import commit_of, parser_of, record

ROOT = Path(__file__).parents[1]
SCAN = ROOT / "sample_data" / "brain_phantom.h5"
RECONSTRUCTIONS: dict[str, dict[str, str]] = {
    "modl": {"kind": "shipped", "name": "modl"},
    "unet": {"kind": "shipped", "name": "unet"},
    "cg-sense": {"kind": "cg-sense"},
}
PRODUCTS = ("forward", "forward product", "adjoint product")
BATCH = 2
LEAST_SECONDS = 1.0
"""Least time of a turn [s]: quicker things are repeated."""


class Worker:
    """A process that measures one reconstruction of one tree, when it is told to."""

    def __init__(self, tree: Path, reconstruction: str) -> None:
        command = [sys.executable, __file__, "--serve", reconstruction]
        environment = {**os.environ, "PYTHONPATH": str(tree.resolve())}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        found = Path(self._answer()["package"])
        if not found.is_relative_to(tree.resolve()):
            raise ValueError(f"'{tree}' should hold the package mri_noise, but {found} was imported")

    def __call__(self, task: str, n_calls: int) -> dict[str, Any]:
        """Do a task some times, and say how many seconds each took."""
        stdin = self._process.stdin
        if stdin is None:
            raise ValueError("the process has no input")
        stdin.write(json.dumps([task, n_calls]) + "\n")
        stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise ChildProcessError("a process that measures has ended; what it said is above")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextmanager
def workers(trees: tuple[Path, Path], reconstruction: str) -> Iterator[tuple[Worker, Worker]]:
    """Start a process for each tree."""
    before = Worker(trees[0], reconstruction)
    try:
        after = Worker(trees[1], reconstruction)
        try:
            yield before, after
        finally:
            after.close()
    finally:
        before.close()


def measured(pair: tuple[Worker, Worker], task: str, n_turns: int) -> dict[str, float]:
    """Seconds of both, and the ratio with its quartiles."""
    n_calls = 1
    if task in PRODUCTS:  # what is made once is made before the turns
        seconds_of_one = [worker(task, 1)["seconds"] for worker in pair * 2][2]
        n_calls = max(1, round(LEAST_SECONDS / seconds_of_one))
    seconds = np.empty((n_turns, 2))
    for turn in range(n_turns):
        for which in (0, 1) if turn % 2 else (1, 0):
            seconds[turn, which] = pair[which](task, n_calls)["seconds"]
    lower, ratio, upper = np.quantile(seconds[:, 1] / seconds[:, 0], (0.25, 0.5, 0.75))
    before, after = np.median(seconds, axis=0)
    return {
        "before [s]": float(before), "after [s]": float(after), "after / before": float(ratio),
        "lower quartile": float(lower), "upper quartile": float(upper), "turns": n_turns,
    }  # fmt: skip


def table(trees: tuple[Path, Path], reconstructions: list[str], n_turns: int, n_maps: int) -> pd.DataFrame:
    """One row for each reconstruction and task."""
    rows = []
    for name in reconstructions:
        with workers(trees, name) as pair:
            rows += [{"model": name, "task": task, **measured(pair, task, n_turns)} for task in PRODUCTS]
            rows += [{"model": name, "task": "map", **measured(pair, "map", n_maps)}]
            evaluations = [worker("evaluations", 1).get("evaluations") for worker in pair]
            rows[-1] |= dict(zip(("products before", "products after"), evaluations, strict=True))
    return pd.DataFrame(rows)


def tasks(reconstruction: str) -> dict[str, Callable[[], object]]:
    """What one tree is asked to do, by its public names; the place of one of them has moved."""
    import torch  # noqa: PLC0415 (the package of the tree that is measured)

    from mri_noise import Experiment, open_scan, run  # noqa: PLC0415
    from mri_noise.pipeline import StageCache, prepare, reconstruct  # noqa: PLC0415

    experiment = Experiment.parse({"reconstruction": RECONSTRUCTIONS[reconstruction]})
    cache, scan = StageCache(), open_scan(SCAN)
    point = reconstruct(prepare(scan, experiment, 0, cache), experiment, cache)
    operator = _named("noise_jacobian")(point, chunk=BATCH)
    generator = torch.Generator().manual_seed(0)

    def drawn(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(BATCH, *shape, dtype=point.kspace.dtype, generator=generator).to(point.kspace.device)

    white, images = drawn(operator.in_shape), drawn(operator.out_shape)
    data = point.kspace + drawn(tuple(point.kspace.shape))

    def forward() -> None:
        with torch.no_grad():
            point.reconstruct(data)

    return {
        "forward": forward,
        "forward product": lambda: operator(white),
        "adjoint product": lambda: operator.adjoint(images),
        "map": lambda: list(run(open_scan(SCAN), experiment))[-1].estimate,
    }


def _named(name: str) -> Callable[..., Any]:
    for module in ("mri_noise.variance.linearise.point", "mri_noise.variance.point"):
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError:
            continue
    raise ImportError(f"this tree has no {name} where it has been before")


def serve(reconstruction: str) -> None:
    """Answer each line of the input, a task and how often, by its seconds."""
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"package": import_module("mri_noise").__file__}), file=answers, flush=True)
    known, last = tasks(reconstruction), None
    for line in sys.stdin:
        task, n_calls = json.loads(line)
        if task == "evaluations":
            print(json.dumps({"evaluations": getattr(last, "n_evaluations", None)}), file=answers, flush=True)
            continue
        start = time.perf_counter()
        for _ in range(n_calls):
            last = known[task]()
        print(json.dumps({"seconds": (time.perf_counter() - start) / n_calls}), file=answers, flush=True)


def main() -> None:
    """Print one table, and record it."""
    parser = parser_of(__doc__, "side_by_side")
    parser.add_argument("--before", type=Path, help="folder that holds the package mri_noise")
    parser.add_argument("--after", type=Path, default=ROOT / "src", help="another (default: %(default)s)")
    parser.add_argument("--models", nargs="+", choices=RECONSTRUCTIONS, default=list(RECONSTRUCTIONS))
    parser.add_argument("--turns", type=int, default=7, help="of each product (default: %(default)s)")
    parser.add_argument("--maps", type=int, default=3, help="turns of whole maps (default: %(default)s)")
    parser.add_argument("--serve", choices=RECONSTRUCTIONS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    if arguments.before is None:
        parser.error("name the tree to compare with: --before FOLDER/src")
    trees = (arguments.before, arguments.after)
    named = dict(zip(("before", "after"), (commit_of(tree) or str(tree) for tree in trees), strict=True))
    print(", ".join(f"{which}: {name}" for which, name in named.items()))
    found = table(trees, arguments.models, arguments.turns, arguments.maps)
    with pd.option_context("display.width", 200, "display.max_columns", None, "display.precision", 3):
        print(found.to_string(index=False))
    record(arguments.json, {"side by side": found, "trees": pd.DataFrame([named])})


if __name__ == "__main__":
    main()
