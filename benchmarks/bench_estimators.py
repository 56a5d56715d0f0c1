"""What an accurate noise map costs: lattice probing beside Monte Carlo and the published sketch, on shipped networks.

References are exact: covariance rows of random voxels give their variances and, for any lattice, the mean square error
over its random signs. Errors of N replicas or probes follow from the law 1 / sqrt(2 N), which the last check measures.
"""

import argparse
import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mri_noise.allocation import keep_freed_memory
from mri_noise.experiment import Experiment
from mri_noise.io import open_scan
from mri_noise.linop import LinearOperator, Shape
from mri_noise.masks import Equispaced, PoissonDisc, RandomLines, Undersampling
from mri_noise.phantom import Phantom
from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.recon.shipped import Shipped
from mri_noise.report import draw
from mri_noise.scan import Scan
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.kernels import AdjointProducts
from mri_noise.variance.lattice import Lattice, lattice_score
from mri_noise.variance.linearity import LinearityCheck, Pairs, assess, correction
from mri_noise.variance.magnitude import LatticeProbing, probe_magnitude
from mri_noise.variance.plan import Plan
from mri_noise.variance.point import OperatingPoint, noise_jacobian
from mri_noise.variance.probing import BothProducts
from mri_noise.variance.rows import Rows, covariance_rows, error_density, random_voxels

ROOT = Path(__file__).parents[1]
MEASURED = ROOT.parent / "shared" / "data"
CHUNK = 2
TARGETS = (0.05, 0.03, 0.02, 0.01)
MODELS = ("unet", "unrolled", "modl")
MASKS: dict[str, Callable[[int], Undersampling]] = {
    "random lines": lambda r: RandomLines(acceleration=r, n_calibration=24 if r < 8 else 12),
    "equispaced": lambda r: Equispaced(acceleration=r, n_calibration=24 if r < 8 else 12),
    "Poisson disc": lambda r: PoissonDisc(acceleration=r),
}


@dataclass(frozen=True)
class Case:
    scan: str
    model: str
    mask: str
    acceleration: int

    @property
    def key(self) -> str:
        """What tells its rows from those of others."""
        return self.scan.removesuffix(".h5") + self.model + self.mask + str(self.acceleration)

    def point(self) -> OperatingPoint:
        """Reconstruct."""
        sample = ROOT / "sample_data" / self.scan
        scan = open_scan(sample if sample.is_file() else MEASURED / self.scan)
        return point_of(scan, self.model, MASKS[self.mask](self.acceleration))


def point_of(scan: Scan, model: str, undersampling: Undersampling) -> OperatingPoint:
    experiment = Experiment(undersampling=undersampling, reconstruction=Shipped(name=model))
    cache = StageCache()
    return reconstruct(prepare(scan, experiment, 0, cache), experiment, cache)


def cases(*, quick: bool) -> Iterator[Case]:
    """The sample scan with every model, mask and acceleration, then measured brains where they are; slow ones last."""
    for acceleration in (4,) if quick else (4, 8):
        for mask in ("equispaced",) if quick else MASKS:
            for model in MODELS if mask != "Poisson disc" else MODELS[:2]:
                yield Case("brain_phantom.h5", model, mask, acceleration)
    for name in () if quick else ("brain_flash_16ch.h5", "brain_t1_7ch.h5"):
        if (MEASURED / name).is_file():
            for model in MODELS:
                yield Case(name, model, "random lines", 4)
    for acceleration in () if quick else (4, 8):
        yield Case("brain_phantom.h5", "modl", "Poisson disc", acceleration)  # conjugate gradients


def reference_rows(operator: LinearOperator, point: OperatingPoint, *, seconds: float, most: int) -> Rows:
    """Exact rows of random voxels: at least 32, and more as long as there is time."""
    voxels = random_voxels(point.object, most, torch.Generator().manual_seed(1000))
    start, parts = time.perf_counter(), []
    for part in torch.split(voxels, 8):
        parts.append(covariance_rows(operator, point.image, part, chunk=CHUNK))
        if len(parts) >= 4 and time.perf_counter() - start > seconds:
            break
    return Rows(torch.cat([rows.voxels for rows in parts]), torch.cat([rows.covariance for rows in parts]))


def seconds_per_evaluation(operator: LinearOperator, point: OperatingPoint, *, repeats: int) -> dict[str, float]:
    """Medians of interleaved repeats in batches: a replica, half a probe, and a probe of the sketch as published.

    Where adjoint products may do alone, also one of them with all that is done to it.
    """
    noise = torch.randn(CHUNK, *point.kspace.shape, dtype=point.kspace.dtype)
    images = torch.randn(CHUNK, *point.image.shape, dtype=point.image.dtype)

    def one(white: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(point.reconstruct, (point.kspace,), (point.colouring(white),))[1]

    at_once = bool((point.colouring.mask == point.colouring.mask[:1]).all())

    def published() -> None:
        """All probes at once; one after the other where a solver of a two-dimensional mask does not batch."""
        if at_once:
            torch.func.vmap(one)(noise)
        else:
            torch.stack([one(white) for white in noise])

    def replicas() -> None:
        with torch.no_grad():
            point.reconstruct(point.kspace + point.colouring(noise))

    products: dict[str, Callable[[], object]] = {
        "replica": replicas,
        "probe": lambda: operator(operator.adjoint(images)),
        "published": published,
    }
    if point.image_domain is not None:
        adjoint = AdjointProducts.of(point.image_domain, replayable=point.replayable, chunk=CHUNK)
        colours = (torch.arange(images[0].numel()) % CHUNK).reshape(images[0].shape)
        plan = Plan(Lattice(1, CHUNK, 0), 1, 0.1, 0.1, 8, 0.1, 8, reach=4)
        products["adjoint"] = lambda: list(adjoint(images[0], colours, plan))
    elapsed: dict[str, list[float]] = {name: [] for name in products}
    for repeat in range(repeats + 1):
        for name, product in products.items():
            start = time.perf_counter()
            product()
            if repeat:
                elapsed[name].append((time.perf_counter() - start) / CHUNK)
    medians = {name: median(values) for name, values in elapsed.items()}
    return medians | {"probe": medians["probe"] / 2}


@dataclass(frozen=True)
class Outcome:
    """A plan, the evaluations of its map, and the true NRMSE of the std map."""

    plan: Plan
    of_map: int
    error: float


def outcome(method: LatticeProbing, point: OperatingPoint, operator: LinearOperator, truth: Rows) -> Outcome:
    """Plan; the error is that over all signs, by exact rows, or that of a finished map where kernels overlap."""
    generator = torch.Generator().manual_seed(7)
    if point.image_domain is not None:
        *_, last = method(point, generator)
        assert last.plan is not None
        if last.plan.reach is not None:
            found = last.variance_magnitude[truth.voxels[:, 0], truth.voxels[:, 1]].sqrt()
            exact = truth.variance.sqrt()
            error = float((found - exact).norm() / exact.norm())
            return Outcome(last.plan, last.n_evaluations - last.plan.n_evaluations, error)
    plan = method.plan(operator, point, generator, chunk=CHUNK)
    of_map = plan.evaluations_per_product * plan.n_products
    if plan.lattice is None:
        return Outcome(plan, of_map, plan.nrmse)
    density = error_density(truth, point.object)
    return Outcome(plan, of_map, (lattice_score(density, plan.lattice) / plan.n_signs) ** 0.5)


def case_rows(case: Case, *, quick: bool) -> Iterator[dict[str, str | float]]:
    """One row for each target."""
    point = case.point()
    operator = noise_jacobian(point, chunk=CHUNK)
    truth = reference_rows(operator, point, seconds=6 if quick else 12, most=96)
    seconds = seconds_per_evaluation(operator, point, repeats=2 if quick else 3)
    for target in TARGETS:
        method = LatticeProbing(target=target, max_evaluations=6000, shrink=False)
        found = outcome(method, point, operator, truth)
        spent = found.plan.n_evaluations + found.of_map
        needed = 1 / (2 * target**2)
        probe = seconds["probe" if found.plan.reach is None else "adjoint"]
        yield {
            "scan": case.scan.removesuffix(".h5"),
            "model": case.model,
            "mask": case.mask,
            "R": case.acceleration,
            "target [%]": 100 * target,
            "plan": words(found.plan),
            "evaluations": spent,
            "of pilots": found.plan.n_evaluations,
            "predicted [%]": 100 * found.plan.nrmse,
            "true [%]": 100 * found.error,
            "reference voxels": len(truth.voxels),
            "gain, evaluations": needed / spent,
            "without pilots": needed / found.of_map,
            "at the error reached": 1 / (2 * found.error**2 * spent),
            "gain, seconds": needed * seconds["replica"] / (spent * probe),
            "gain over published, seconds": needed * seconds["published"] / (spent * probe),
        }


def words(plan: Plan) -> str:
    """A plan in short."""
    if plan.lattice is None:
        return "forward products"
    sets = f", {plan.n_signs} sets" if plan.n_signs > 1 else ""
    alone = "" if plan.reach is None else ", adjoint products"
    return f"{plan.lattice.row_step} x {plan.lattice.column_step} / {plan.lattice.shift}{sets}{alone}"


@dataclass(frozen=True, eq=False)
class Product(LinearOperator):
    """B B^T between the voxels of a region, as a matrix; its adjoint does nothing, so that their product is B B^T."""

    matrix: torch.Tensor
    region: torch.Tensor

    @classmethod
    def of(cls, operator: LinearOperator, region: torch.Tensor, dtype: torch.dtype) -> "Product":
        """Compute two rows of B for each voxel."""
        units = torch.zeros(int(region.sum()), *region.shape, dtype=dtype)
        units[:, region] = torch.eye(len(units), dtype=dtype)
        rows = torch.cat(
            [operator.adjoint(part).flatten(1) for part in torch.split(torch.cat([units, 1j * units]), 64)]
        )
        return cls((rows.conj() @ rows.mT).real, region)

    @property
    def in_shape(self) -> Shape:
        return tuple(self.region.shape)

    @property
    def out_shape(self) -> Shape:
        return tuple(self.region.shape)

    def _apply(self, x: torch.Tensor) -> torch.Tensor:
        inside = x[..., self.region]
        real, imaginary = (torch.cat([inside.real, inside.imag], dim=-1) @ self.matrix).chunk(2, dim=-1)
        result = torch.zeros_like(x)
        result[..., self.region] = torch.complex(real, imaginary)
        return result

    def _adjoint(self, y: torch.Tensor) -> torch.Tensor:
        return y


def coverage_table(*, n_runs: int) -> pd.DataFrame:
    """Independent runs on small images whose variance is known exactly in every voxel."""
    rows = []
    for model in MODELS:
        side = 64 if model == "unet" else 40  # the U-Net has to see less than the image
        scan = Phantom(matrix=(side, side), n_slices=1)()
        point = point_of(scan, model, RandomLines(acceleration=3, n_calibration=side // 5))
        operator = noise_jacobian(point, chunk=8)
        if point.image_domain is None:
            operator = Product.of(operator, point.object, point.image.dtype)
        every = random_voxels(point.object, point.object.numel(), torch.Generator().manual_seed(0))
        exact = torch.full(point.image.shape, torch.nan, dtype=torch.float64)
        exact[every[:, 0], every[:, 1]] = _variances(operator, point, every)
        for target, n_signs in ((0.1, 1), (0.05, 1), (0.05, 2)):
            method = LatticeProbing(target=target, n_signs=n_signs, shrink=False)
            runs = [_run(method, operator, point, exact, seed) for seed in range(n_runs)]
            within, inside, evaluations, errors = (np.array(column) for column in zip(*runs, strict=True))
            rows.append(
                {
                    "model": model,
                    "matrix": f"{side} x {side}",
                    "target [%]": 100 * target,
                    "sign sets at least": n_signs,
                    "runs": n_runs,
                    "evaluations": float(np.median(evaluations)),
                    "median error / target": float(np.median(errors)) / target,
                    "runs within target": float(within.mean()),
                    "voxels within 1.96 standard errors": float(inside.mean()),
                }
            )
    return pd.DataFrame(rows)


def _variances(operator: LinearOperator, point: OperatingPoint, voxels: torch.Tensor) -> torch.Tensor:
    """Of the magnitude of some voxels, exact."""
    if point.image_domain is None:
        return covariance_rows(operator, point.image, voxels, chunk=32).variance
    adjoint = AdjointProducts.of(point.image_domain, replayable=point.replayable, chunk=8)
    along = unit_phase(point.image)[None]
    return torch.cat([adjoint.kernels(along, part).variance[0] for part in torch.split(voxels, 64)])


def _run(
    method: LatticeProbing, operator: LinearOperator, point: OperatingPoint, exact: torch.Tensor, seed: int
) -> tuple[bool, float, int, float]:
    generator = torch.Generator().manual_seed(seed)
    if point.image_domain is None:
        plan = method.plan(operator, point, generator, chunk=16)
        products = BothProducts(operator, 64)
        *_, last = probe_magnitude(products, point.image, point.object, plan, generator, n_before=plan.n_evaluations)
    else:
        *_, last = method(point, generator)
    truth, found = exact[point.object], last.variance_magnitude[point.object]
    error = float((found.sqrt() - truth.sqrt()).norm() / truth.sqrt().norm())
    z = (found - truth) / last.standard_error_magnitude[point.object]
    return error <= method.target, float((z.abs() < 1.96).double().mean()), last.n_evaluations, error


def linearity_table(*, quick: bool) -> pd.DataFrame:
    """The check's prediction from 8 pairs beside what 48 others say, over noise levels."""
    rows = []
    for model in MODELS:
        quiet = point_of(open_scan(ROOT / "sample_data" / "brain_phantom.h5"), model, RandomLines())
        for factor in (1, 10, 100) if quick else (1, 3, 10, 30, 100):
            colouring = replace(quiet.colouring, factor=factor * quiet.colouring.factor)
            point = replace(quiet, colouring=colouring)
            few, many = (
                LinearityCheck(n_pairs=n, batch=CHUNK)(point, torch.Generator().manual_seed(n))
                for n in (8, 24 if quick else 48)
            )
            said = assess(few, point.object, correct=True)
            truth = assess(many, point.object, correct=False)
            rows.append(
                {
                    "model": model,
                    "noise": f"x {factor}",
                    "rho": truth.rho,
                    "bias predicted [%]": 100 * said.bias,
                    "bias true [%]": 100 * truth.bias,
                    "0.16 sqrt(rho) [%]": 16 * truth.rho**0.5,
                    "corrected": "yes" if said.corrected else "no",
                    "remaining predicted [%]": 100 * said.remaining_bias,
                    "remaining true [%]": 100 * (remaining(few, many, point) if said.corrected else truth.bias),
                }
            )
    return pd.DataFrame(rows)


def memory_table(*, quick: bool) -> pd.DataFrame:
    """Peak memory of probing beside that of a forward of the same batch, for two numbers of probes."""
    rows = []
    for model in MODELS:
        point = point_of(open_scan(ROOT / "sample_data" / "brain_phantom.h5"), model, RandomLines())
        noise = torch.randn(CHUNK, *point.kspace.shape, dtype=point.kspace.dtype)
        method = LatticeProbing(shrink=False)
        _probe(method, point, CHUNK)  # what is imported and kept at the first time
        forward = peak(partial(_reconstruct, point, point.kspace + point.colouring(noise)))
        row: dict[str, str | float] = {"model": model, "forward [MB]": forward}
        for n_probes in (4, 16) if quick else (8, 32):
            row[f"{n_probes} probes [MB]"] = peak(partial(_probe, method, point, n_probes))
        rows.append(row | {"ratio": float(row[list(row)[-1]]) / forward})
    return pd.DataFrame(rows)


def _reconstruct(point: OperatingPoint, kspace: torch.Tensor) -> None:
    with torch.no_grad():
        point.reconstruct(kspace)


def _probe(method: LatticeProbing, point: OperatingPoint, n_probes: int) -> None:
    plan = Plan(Lattice(1, 64, 23), 1, 0.1, 0.1, 8, 0.1, 8, reach=None if point.image_domain is None else 4)
    for estimate in method(point, torch.Generator().manual_seed(0), plan):
        if estimate.n_samples >= n_probes:
            break


def peak(function: Callable[[], object]) -> float:
    """The most memory of the process during a call, beyond what it held before [MB]; Linux only."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # starts the peak anew
    function()
    return (_memory("VmHWM") - before) / 1000


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def remaining(few: Pairs, many: Pairs, point: OperatingPoint) -> float:
    """The error that is left when the correction from some pairs is judged by others."""
    ratio = correction(few, point.object, "magnitude")
    scaled = Pairs(many.actual, many.linear * ratio.sqrt())
    return assess(scaled, point.object, correct=False).bias


def figure_of(table: pd.DataFrame) -> Figure:
    """Evaluations over the error that is asked for, a panel a model."""
    figure = Figure(figsize=(4.2 * len(MODELS), 4), layout="constrained", dpi=100)
    panels = figure.subplots(1, len(MODELS), sharey=True)
    targets = np.array(TARGETS)
    for axes, model in zip(panels, MODELS, strict=True):
        axes.loglog(100 * targets, 1 / (2 * targets**2), "k--", label="Monte Carlo, published sketch")
        for (scan, mask, r), rows in table[table["model"] == model].groupby(["scan", "mask", "R"]):
            axes.loglog(rows["target [%]"], rows["evaluations"], "o-", ms=3, lw=1, label=f"{mask}, R = {r}, {scan}")
        axes.set(title=model, xlabel="error of the std map [%]", xticks=[1, 2, 3, 5], xticklabels=["1", "2", "3", "5"])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(fontsize=6)
    panels[0].set(ylabel="evaluations")
    return figure


def medians(table: pd.DataFrame) -> pd.DataFrame:
    """Over the cases, for each target."""
    gains = [
        "gain, evaluations",
        "without pilots",
        "at the error reached",
        "gain, seconds",
        "gain over published, seconds",
    ]
    rows = []
    for target, of_target in table.groupby("target [%]", sort=False):
        row = {"target [%]": target, "cases": len(of_target)}
        row |= {f"{name}: median": of_target[name].median() for name in gains}
        row |= {"gain, evaluations: least": of_target["gain, evaluations"].min()}
        row |= {"true / target: median": (of_target["true [%]"] / target).median()}
        row |= {"true within target": float((of_target["true [%]"] <= target).mean())}
        rows.append(row)
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    """A table of a document."""
    cells = [[_text(value) for value in row] for row in table.itertuples(index=False)]
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) and value < 1000 else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases, runs and noise levels; writes nothing")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure; default: everything")
    arguments = parser.parse_args()
    keep_freed_memory()
    for part in arguments.parts:
        tables = PARTS[part](quick=arguments.quick)
        for name, table in tables.items():
            print(f"\n{name}\n{table.to_string(index=False)}", flush=True)
        if not arguments.quick:
            write_page(tables)


def case_tables(*, quick: bool) -> dict[str, pd.DataFrame]:
    """Every case, and the medians over them; cases in the file of a former run that was cut short are not repeated."""
    unfinished = ROOT / "runs" / "estimators.csv"
    table = pd.read_csv(unfinished) if unfinished.is_file() and not quick else pd.DataFrame()
    for case in cases(quick=quick):
        if not table.empty and bool((_keys(table) == case.key).any()):
            continue
        rows = pd.DataFrame(case_rows(case, quick=quick))
        print(rows.to_string(index=False), flush=True)
        table = pd.concat([table, rows], ignore_index=True)
        if not quick:
            unfinished.parent.mkdir(exist_ok=True)
            table.to_csv(unfinished, index=False)
            draw(figure_of(table), ROOT / "docs" / "images" / "estimators.png")
            write_page({"medians": medians(table), "cases": table})
    if not quick:
        unfinished.unlink(missing_ok=True)
    return {"medians": medians(table), "cases": table}


def _keys(table: pd.DataFrame) -> pd.Series:
    return table["scan"] + table["model"] + table["mask"] + table["R"].astype(str)


PARTS: dict[str, Callable[..., dict[str, pd.DataFrame]]] = {
    "cases": case_tables,
    "coverage": lambda *, quick: {"coverage": coverage_table(n_runs=20 if quick else 200)},
    "linearity": lambda *, quick: {"linearity": linearity_table(quick=quick)},
    "memory": lambda *, quick: {"memory": memory_table(quick=quick)},
}


def write_page(tables: dict[str, pd.DataFrame]) -> None:
    """Put tables into the documentation."""
    page = ROOT / "docs" / "estimators.md"
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, rest = text.split(start)
        text = before + start + markdown(table) + end + rest.split(end, 1)[1]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
