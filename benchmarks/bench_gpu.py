"""What an accurate noise map costs on a GPU, and what bounds it there: 320 x 320, 16 coils, every shipped architecture.

Measurements start in the order of their importance until the time is up. Each appends its rows to a table as soon as
it has them, and is left out by the next run of the same table; one that fails leaves its error there.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from estimator_cases import MASKS, MODELS, Case, relative, seconds_of, seconds_per_evaluation, words
from estimator_gains import TARGETS, outcome, reference_rows
from torch.profiler import ProfilerActivity, profile

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.scan import Scan
from mri_noise.experiment import Experiment
from mri_noise.machine.allocation import is_out_of_memory
from mri_noise.machine.measure import Meter
from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.linop import LinearOperator
from mri_noise.operators.replay import record, replay
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.recon.networks.modl import MoDL
from mri_noise.recon.networks.varnet_image import ImageVarNet
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian
from mri_noise.variance.plan import Plan
from mri_noise.variance.rows import Rows

Row = dict[str, str | float]
KINDS = {
    "FFT": ("fft",),
    "convolutions": ("conv",),
    "matrix products": ("mm", "matmul", "cholesky", "dot"),
    "copies": ("copy", "cat", "roll", "clone", "stack", "index", "contiguous"),
}
"""Parts of the names of torch's operators; all others work element by element, or sum."""
FINISHED = "finished after [s]"
ROWS = 128
"""Exact rows that a predicted error is judged by."""


@dataclass(frozen=True)
class Bench:
    """One model and mask on one device."""

    model: str
    mask: str
    point: OperatingPoint
    chunk: int

    @classmethod
    def of(cls, scan: Scan, model: str, mask: str, device: str, cache: StageCache) -> "Bench":
        """Reconstruct a slice, which all models of a mask share."""
        experiment = Experiment(
            undersampling=MASKS[mask](4), coils=MapsFromFile(), reconstruction=Shipped(name=model), device=device
        )
        point = reconstruct(prepare(scan, experiment, 0, cache), experiment, cache)
        return cls(model, mask, point, point.fitting_batch)

    @property
    def device(self) -> torch.device:
        return self.point.kspace.device

    @cached_property
    def operator(self) -> LinearOperator:
        return noise_jacobian(self.point, chunk=self.chunk)

    @cached_property
    def truth(self) -> Rows:
        return reference_rows(self.point, seconds=10, most=ROWS, chunk=self.chunk)

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Of an evaluation of each method, in the largest batch for which all of them have memory."""
        chunk = self.chunk
        while True:
            try:
                return seconds_per_evaluation(self.operator, self.point, repeats=3, chunk=chunk)
            except RuntimeError as error:
                if chunk == 1 or not is_out_of_memory(error):
                    raise
            chunk //= 2

    def noise(self, n: int) -> torch.Tensor:
        return torch.randn(n, *self.point.kspace.shape, dtype=self.point.kspace.dtype).to(self.device)

    def images(self, n: int) -> torch.Tensor:
        return torch.randn(n, *self.point.image.shape, dtype=self.point.image.dtype).to(self.device)

    def time(self, function: Callable[[], object], repeats: int = 5) -> float:
        """Median of some calls after a first one [s]."""
        function()
        return median(seconds_of(function, self.device) for _ in range(repeats))

    def peak(self, function: Callable[[], object]) -> float:
        """The most memory of a GPU during a call, beyond what was held before [MB]; NaN for a CPU."""
        if self.device.type != "cuda":
            function()
            return torch.nan
        meter = Meter(self.device)
        with meter:
            function()
        return meter.cost.peak_memory / 1e6

    def replicas(self, noise: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.point.reconstruct(self.point.kspace + self.point.noise_shaping(noise))


def products(bench: Bench) -> Iterator[Row]:
    """Time per forward and per product, over the batch; memory of each beside that of a forward."""
    for n in sorted({n for n in (1, 4, 16) if n < bench.chunk} | {bench.chunk}):
        yield from _times(bench, n)
    forward = bench.peak(partial(bench.replicas, bench.noise(bench.chunk)))
    probe = bench.peak(partial(_probe(bench), bench.images(bench.chunk)))
    yield {"quantity": "peak memory of a batch of forwards [MB]", "value": forward}
    yield {"quantity": "peak memory of a batch of probes [MB]", "value": probe}
    yield {"quantity": "peak memory, probes / forwards", "value": probe / forward}
    if bench.device.type == "cuda":
        yield from _times(bench, 2 * bench.chunk)  # last: there may be no memory for it


def _times(bench: Bench, n: int) -> Iterator[Row]:
    operator, noise, images = noise_jacobian(bench.point, chunk=n), bench.noise(n), bench.images(n)
    calls: dict[str, Callable[[], object]] = {
        "forward": partial(bench.replicas, noise),
        "forward product": partial(operator, noise),
        "adjoint product": partial(operator.adjoint, images),
    }
    for name, call in calls.items():
        yield {"quantity": f"{name}, batch of {n} [ms each]", "value": 1e3 * bench.time(call) / n}


def _probe(bench: Bench) -> Callable[[torch.Tensor], torch.Tensor]:
    operator = noise_jacobian(bench.point, chunk=bench.chunk)
    return lambda images: operator(operator.adjoint(images))


def bounds(bench: Bench) -> Iterator[Row]:
    """Shares of the time of each product, and what bounds it in words."""
    noise, images = bench.noise(bench.chunk), bench.images(bench.chunk)
    calls: dict[str, Callable[[], object]] = {
        "forward": partial(bench.replicas, noise),
        "forward product": partial(bench.operator, noise),
        "adjoint product": partial(bench.operator.adjoint, images),
    }
    for name, call in calls.items():
        elapsed = bench.time(call)
        on_gpu = bench.device.type == "cuda"
        with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu) as profiled:
            seconds_of(call, bench.device)
        busy = _busy(profiled, "self_device_time_total" if on_gpu else "self_cpu_time_total")
        total = sum(busy.values())
        shares = {kind: seconds / total for kind, seconds in busy.items()} if total else {}
        idle = max(0.0, 1 - total / elapsed) if on_gpu else torch.nan
        note = _bound(shares, idle) if on_gpu else "not measured: shares of CPU time, there is no GPU"
        for kind, share in shares.items():
            yield {"quantity": f"{name}: share of {kind} [%]", "value": 100 * share}
        yield {"quantity": f"{name}: GPU idle [%]", "value": 100 * idle, "note": note}


def _busy(profiled: profile, attribute: str) -> dict[str, float]:
    """Seconds by kind of operator: of its kernels on a GPU, else of its own."""
    busy = dict.fromkeys((*KINDS, "elementwise"), 0.0)
    for event in profiled.key_averages():
        if event.device_type.name != "CPU":
            continue  # the kernels themselves, which their operators count
        name = event.key.removeprefix("aten::").lower()
        kind = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "elementwise")
        busy[kind] += 1e-6 * getattr(event, attribute)
    return busy


def _bound(shares: dict[str, float], idle: float) -> str:
    if not shares:
        return "the profiler saw no kernel"
    if idle > 0.3:
        return f"launches: the GPU waits for the CPU {100 * idle:.0f} % of the time"
    largest = max(shares, key=lambda kind: shares[kind])
    return f"{largest}: {100 * shares[largest]:.0f} % of the time in which the GPU works"


def gains(bench: Bench) -> Iterator[Row]:
    """Evaluations and seconds to each target: Monte Carlo, the sketch as published, and lattice probing."""
    seconds, truth = bench.seconds, bench.truth
    for target in TARGETS:
        n_replicas = 0.5 / target**2
        method = LatticeProbing(target=target, max_evaluations=6000, shrink=False, batch=bench.chunk)
        start = time.perf_counter()
        found = outcome(method, bench.point, bench.operator, truth, chunk=bench.chunk)
        elapsed = time.perf_counter() - start
        mapped = found.plan.reach is not None  # then the outcome is that of a map, whose seconds are in it
        planning = torch.nan if mapped else elapsed
        spent = found.plan.n_evaluations + found.of_map
        probe = seconds["probe" if found.plan.reach is None else "adjoint"]
        in_all = elapsed if mapped else planning + found.of_map * probe
        values = {
            "evaluations, Monte Carlo and published": n_replicas,
            "evaluations, lattice": spent,
            "of pilots": found.plan.n_evaluations,
            "seconds, Monte Carlo": n_replicas * seconds["replica"],
            "seconds, published": n_replicas * seconds["published"],
            "seconds, lattice by its evaluations": spent * probe,
            "seconds, lattice with planning": in_all,
            "seconds, planning": planning,
            "gain, evaluations": n_replicas / spent,
            "gain, seconds of evaluations": n_replicas * seconds["replica"] / (spent * probe),
            "gain, seconds with planning": n_replicas * seconds["replica"] / in_all,
            "gain over published, seconds with planning": n_replicas * seconds["published"] / in_all,
            "predicted error [%]": 100 * found.plan.nrmse,
            "true error [%]": 100 * found.error,
            "error of the true error [%]": 100 * found.error * _spread(bench, found.plan),
        }
        for name, value in values.items():
            yield {"quantity": f"{name}, to {100 * target:g} %", "value": value, "note": words(found.plan)}


def _spread(bench: Bench, plan: Plan) -> float:
    """Relative standard error of an error that exact rows of random voxels tell."""
    rows = bench.truth
    if plan.lattice is None or plan.reach is not None:
        return (2 * len(rows.voxels)) ** -0.5
    colours = plan.colours(bench.point.image).to(bench.device)
    y, x = rows.voxels[:, 0].to(bench.device), rows.voxels[:, 1].to(bench.device)
    same = (colours == colours[y, x][:, None, None]) & bench.point.object
    errors = ((rows.covariance.square() * same).sum((1, 2)) - rows.variance.square()) / rows.variance
    return float(errors.std() / errors.mean() / len(errors) ** 0.5) / 2


def maps(bench: Bench) -> Iterator[Row]:
    """The default map from its pilots on, once: seconds, and the most memory."""
    found, seconds = [], []

    def run() -> None:
        *_, last = LatticeProbing(batch=bench.chunk)(bench.point, torch.Generator().manual_seed(7))
        found.append(last)

    peak = bench.peak(lambda: seconds.append(seconds_of(run, bench.device)))
    assert found[0].plan is not None
    yield {"quantity": "map to 3 % [s]", "value": seconds[0], "note": words(found[0].plan)}
    yield {"quantity": "map to 3 %, evaluations", "value": found[0].n_evaluations}
    yield {"quantity": "map to 3 %, peak memory [MB]", "value": peak}
    forward = bench.peak(partial(bench.replicas, bench.noise(bench.chunk)))
    yield {"quantity": "map to 3 %, peak memory / that of a batch of forwards", "value": peak / forward}


def reduced_precision(bench: Bench) -> Iterator[Row]:
    """Tangents in bfloat16, and with TF32 in convolutions: time and error beside single precision."""
    point, noise, images = bench.point, bench.noise(bench.chunk), bench.images(bench.chunk)
    plain = point.jacobian.in_chunks(bench.chunk)
    rounded = plain.rounded(torch.bfloat16)
    assert rounded is not None
    shaped = point.noise_shaping(noise)
    exact, back, change = plain(shaped), plain.adjoint(images), bench.replicas(noise) - point.image
    seconds, seconds_back = bench.time(lambda: plain(shaped)), bench.time(lambda: plain.adjoint(images))

    def compared(name: str, jacobian: Jacobian) -> Iterator[Row]:
        error, error_back = relative(jacobian(shaped), exact), relative(jacobian.adjoint(images), back)
        yield {"quantity": f"{name}: error of forward products [%]", "value": 100 * error}
        yield {"quantity": f"{name}: error of adjoint products [%]", "value": 100 * error_back}
        ratio = bench.time(lambda: jacobian(shaped)) / seconds
        yield {"quantity": f"{name}: time of forward products / single precision", "value": ratio}
        ratio = bench.time(lambda: jacobian.adjoint(images)) / seconds_back
        yield {"quantity": f"{name}: time of adjoint products / single precision", "value": ratio}

    yield from compared("bfloat16", rounded)
    if bench.device.type != "cuda":
        yield {"quantity": "TF32", "value": torch.nan, "note": "not measured: there is no GPU"}
        return
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield from compared("TF32", point.jacobian.in_chunks(bench.chunk))
        error = relative(bench.replicas(noise) - point.image, change)
        yield {"quantity": "TF32: error of f(y + n) - f(y) [%]", "value": 100 * error}
    finally:
        torch.backends.cudnn.allow_tf32 = False


def graphs(bench: Bench) -> Iterator[Row]:
    """Forward products replayed from a CUDA graph: time and error beside the usual way."""
    if bench.device.type != "cuda":
        yield {"quantity": "CUDA graph", "value": torch.nan, "note": "not measured: there is no GPU"}
        return
    point = _without_reading_back(bench.point)
    tangent = _tangent(point)
    for n in sorted({min(4, bench.chunk), bench.chunk}):
        fixed = point.noise_shaping(bench.noise(n))
        with torch.no_grad():
            seconds = bench.time(partial(tangent, fixed))
            usual = tangent(fixed)
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    tangent(fixed)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                captured = tangent(fixed)
        ratio = bench.time(graph.replay) / seconds
        yield {"quantity": f"CUDA graph of {n} forward products: time / without", "value": ratio}
        error = relative(captured, usual)
        yield {"quantity": f"CUDA graph of {n} forward products: difference [%]", "value": 100 * error}
        del graph, captured


def _tangent(point: OperatingPoint) -> Callable[[torch.Tensor], torch.Tensor]:
    """The recorded derivative, as a plain function of perturbations."""
    with torch.no_grad(), record() as tape:
        point.reconstruct(point.kspace)

    def tangent(perturbations: torch.Tensor) -> torch.Tensor:
        with replay(tape):
            return point.reconstruct(perturbations)

    return tangent


def _without_reading_back(point: OperatingPoint) -> OperatingPoint:
    """With what a reconstruction asks the GPU for each time asked once: a graph cannot hold questions."""
    reconstruct: Any = point.reconstruct
    network, encoding = reconstruct.func, reconstruct.keywords["encoding"]
    if isinstance(network, MoDL):
        weight = float(network.tikhonov)

        def with_number(kspace: torch.Tensor) -> torch.Tensor:
            with patch.object(MoDL, "tikhonov", weight):
                return reconstruct(kspace)

        return replace(point, reconstruct=with_number)
    if isinstance(network, ImageVarNet):
        with torch.no_grad():
            corrected = network._corrected(encoding)
        return replace(point, reconstruct=lambda kspace: network.cascades(kspace, corrected))
    return point


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "products": products,
    "bounds": bounds,
    "gains": gains,
    "maps": maps,
    "reduced precision": reduced_precision,
    "CUDA graphs": graphs,
}
ORDER = (
    ("equispaced", ("products", "bounds", "gains")),
    ("equispaced", ("reduced precision", "maps")),
    ("equispaced", ("CUDA graphs",)),
    ("Poisson disc", ("gains", "bounds")),
)
"""Masks and parts, each for every model before the next."""


class Table:
    """The rows of a file, to which more are appended as they come."""

    columns = ("model", "mask", "part", "quantity", "value", "note")

    def __init__(self, file: Path) -> None:
        self._file = file
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._write(self.columns)
        with file.open(newline="", encoding="utf-8") as rows:
            finished = [row for row in csv.DictReader(rows) if row["quantity"] == FINISHED]
        self._done = {(row["model"], row["mask"], row["part"]) for row in finished}

    def has(self, *place: str) -> bool:
        return place in self._done

    def add(self, place: tuple[str, str, str], row: Row) -> None:
        """Append a row, and print it."""
        value, note = f"{row['value']:.5g}", row.get("note", "")
        self._write((*place, row["quantity"], value, note))
        print(*place, row["quantity"], value, note, sep=" | ", flush=True)

    def _write(self, values: Sequence[object]) -> None:
        with self._file.open("a", newline="", encoding="utf-8") as rows:
            csv.writer(rows).writerow(values)


def measure(table: Table, make: Callable[[str, str], Bench], seconds: float) -> None:
    """Go through the parts; one that fails leaves its error, and the others go on."""
    start, benches = time.perf_counter(), {}
    for mask, parts in ORDER:
        models = sorted(MODELS, key=lambda model: Case("", model, mask, 4).is_slow)
        for model, part in ((model, part) for model in models for part in parts):
            place = (model, mask, part)
            if table.has(*place):
                continue
            if time.perf_counter() - start > seconds:
                table.add(place, {"quantity": "not started: the time is up", "value": torch.nan})
                return
            began = time.perf_counter()
            try:
                if (model, mask) not in benches:
                    benches[model, mask] = make(model, mask)
                    table.add((model, mask, "bench"), {"quantity": "batch", "value": benches[model, mask].chunk})
                for row in PARTS[part](benches[model, mask]):
                    table.add(place, row)
                table.add(place, {"quantity": FINISHED, "value": time.perf_counter() - began})
            except Exception as error:
                text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                table.add(place, {"quantity": "failed", "value": torch.nan, "note": text})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, default=Path("runs/gpu.csv"), help="table that rows are appended to")
    parser.add_argument("--seconds", type=float, default=110, help="after which no measurement starts")
    parser.add_argument("--size", type=int, default=320, help="rows and columns")
    parser.add_argument("--coils", type=int, default=16)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    arguments = parser.parse_args()
    start = time.perf_counter()
    scan = Phantom(matrix=(arguments.size, arguments.size), n_coils=arguments.coils, n_slices=1)()
    scan[0]
    table = Table(arguments.csv)
    what = torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU"
    note = f"{what}, {arguments.size} x {arguments.size}, {arguments.coils} coils, torch {torch.__version__}"
    table.add(("", "", "run"), {"quantity": "simulated after [s]", "value": time.perf_counter() - start, "note": note})
    left, cache = arguments.seconds - (time.perf_counter() - start), StageCache()
    measure(table, lambda model, mask: Bench.of(scan, model, mask, arguments.device, cache), left)


if __name__ == "__main__":
    main()
