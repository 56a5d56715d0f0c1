"""Peak memory of estimators beside that of a forward of the batch, each measured in a process of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Literal

import pandas as pd
import torch
from estimator_cases import CHUNK, ROOT, point_of

from mri_noise.acquisition.masks import RandomLines
from mri_noise.io.formats import open_scan
from mri_noise.machine.allocation import give_back_freed_memory, keep_freed_memory
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Lattice, Plan

_N_REPEATS = 3

What = Literal["forward", "probes", "forward products"]


def memory_table(models: Sequence[str], *, quick: bool) -> pd.DataFrame:
    """Medians [MB] of a forward, of probing and of forward products with control variates, in batches of ``CHUNK``."""
    probes, products = ((4, 16), (24, 48)) if quick else ((8, 32), (32, 128))
    rows = []
    for model in models:
        forward = _median(model, "forward", 1, quick=quick)
        row: dict[str, str | float] = {"model": model, "forward [MB]": forward}
        row |= {f"{n} probes [MB]": _median(model, "probes", n, quick=quick) for n in probes}
        row["ratio"] = float(row[f"{probes[-1]} probes [MB]"]) / forward
        row |= {f"{n} forward products [MB]": _median(model, "forward products", n, quick=quick) for n in products}
        rows.append(row | {"of these": float(row[f"{products[-1]} forward products [MB]"]) / forward})
    return pd.DataFrame(rows)


def _median(model: str, what: What, n: int, *, quick: bool) -> float:
    """The median over new interpreters, which hold nothing of what was computed before."""
    values = []
    for _ in range(1 if quick else _N_REPEATS):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            values.append(fresh.submit(measure, model, what, n).result())
    return median(values)


def measure(model: str, what: What, n: int) -> float:
    """The peak of ``n`` products of a kind, or of a batch of forwards [MB]."""
    keep_freed_memory()
    torch.set_num_threads(1)
    point = point_of(open_scan(ROOT / "sample_data" / "brain_phantom.h5"), model, RandomLines())
    method = LatticeProbing(shrink=False)
    products = Plan(None, 10**4, 0.01, 0.01, 8, 0.01, 8) if what == "forward products" else None
    _probe(method, replace(point), CHUNK, products)  # what is imported and kept at the first time, but of this point
    if what == "forward":
        noise = torch.randn(CHUNK, *point.kspace.shape, dtype=point.kspace.dtype)
        return peak(partial(_reconstruct, point, point.kspace + point.noise_shaping(noise)))
    return peak(partial(_probe, method, point, n, products))


def _reconstruct(point: OperatingPoint, kspace: torch.Tensor) -> None:
    with torch.no_grad():
        point.reconstruct(kspace)


def _probe(method: LatticeProbing, point: OperatingPoint, n_probes: int, plan: Plan | None = None) -> None:
    lattice = Plan(Lattice(1, 64, 23), 1, 0.1, 0.1, 8, 0.1, 8, reach=None if point.image_domain is None else 4)
    for estimate in method(point, torch.Generator().manual_seed(0), plan or lattice):
        if estimate.n_samples >= n_probes:
            break


def peak(function: Callable[[], object]) -> float:
    """The most memory of the process during a call, beyond what it held before [MB]; Linux only."""
    give_back_freed_memory()
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # starts the peak anew
    function()
    return (_memory("VmHWM") - before) / 1000


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
