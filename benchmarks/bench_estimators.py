"""What an accurate noise map costs: lattice probing beside Monte Carlo and the published sketch, on shipped networks.

References are exact: covariance rows of random voxels give their variances and, for any lattice, the mean square error
over its random signs. Errors of N replicas or probes follow from the laws 1 / sqrt(2 N) for the magnitude and
sqrt((1 + |Gamma|^2 / C^2) / (4 N)) for the complex image.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from estimator_cases import MODELS, ROOT, cases, point_of
from estimator_gains import TARGETS, complex_rows, magnitude_rows
from estimator_memory import memory_table
from estimator_whole import linear_parts_table, whole_table
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mri_noise.acquisition.masks import RandomLines
from mri_noise.machine.allocation import keep_freed_memory
from mri_noise.operators.linop import LinearOperator, Shape
from mri_noise.phantom.simulation import Phantom
from mri_noise.report import draw
from mri_noise.variance.estimate import Channel, VarianceEstimate, unit_phase
from mri_noise.variance.lattice.adjoint_only import AdjointProducts
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.lattice.planning import plan_with
from mri_noise.variance.lattice.probes import BothProducts
from mri_noise.variance.lattice.probing import probe
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian
from mri_noise.variance.rows import random_voxels, weighted_voxels

SMALL = MODELS[:3]
"""What is measured beside the gains."""


@dataclass(frozen=True, eq=False)
class Dense(LinearOperator):
    """B between the sampled points of k-space and the voxels of a region, as a matrix: the same noise, quickly."""

    matrix: torch.Tensor
    sampled: torch.Tensor
    region: torch.Tensor

    @classmethod
    def of(cls, operator: LinearOperator, sampled: torch.Tensor, region: torch.Tensor, dtype: torch.dtype) -> "Dense":
        """Compute two rows of B for each voxel, at the points of k-space of all coils that are sampled."""
        units = torch.zeros(int(region.sum()), *region.shape, dtype=dtype)
        units[:, region] = torch.eye(len(units), dtype=dtype)
        rows = [operator.adjoint(part)[:, sampled] for part in torch.split(torch.cat([units, 1j * units]), 64)]
        return cls(torch.view_as_real(torch.cat(rows)).flatten(1), sampled, region)

    @property
    def in_shape(self) -> Shape:
        return tuple(self.sampled.shape)

    @property
    def out_shape(self) -> Shape:
        return tuple(self.region.shape)

    def _apply(self, x: torch.Tensor) -> torch.Tensor:
        real, imaginary = (torch.view_as_real(x[..., self.sampled]).flatten(-2) @ self.matrix.mT).chunk(2, dim=-1)
        result = x.new_zeros(*x.shape[:-3], *self.region.shape)
        result[..., self.region] = torch.complex(real, imaginary)
        return result

    def _adjoint(self, y: torch.Tensor) -> torch.Tensor:
        inside = y[..., self.region]
        found = torch.cat([inside.real, inside.imag], dim=-1) @ self.matrix
        result = y.new_zeros(*y.shape[:-2], *self.sampled.shape)
        result[..., self.sampled] = torch.view_as_complex(found.unflatten(-1, (-1, 2)))
        return result


STOPPING: tuple[LatticeProbing | ComplexLatticeProbing, ...] = (
    LatticeProbing(target=0.1, shrink=False),
    LatticeProbing(target=0.05, shrink=False),
    LatticeProbing(target=0.05, shrink=False, n_signs=2),
    ComplexLatticeProbing(target=0.1),
    ComplexLatticeProbing(target=0.05),
)


def coverage_table(*, n_runs: int) -> pd.DataFrame:
    """Independent runs on small images whose variance is known exactly in every voxel."""
    rows = []
    for model in SMALL:
        side = 64 if model == "unet" else 40  # the U-Net has to see less than the image
        scan = Phantom(matrix=(side, side), n_slices=1)()
        point = point_of(scan, model, RandomLines(acceleration=3, n_calibration=side // 5))
        operator = noise_jacobian(point, chunk=8)
        if point.image_domain is None:
            sampled = point.noise_shaping.mask.expand(point.noise_shaping.in_shape)
            operator = Dense.of(operator, sampled, point.object, point.image.dtype)
        every = random_voxels(point.object, point.object.numel(), torch.Generator().manual_seed(0))
        exactly = replace(point, tangents="full")
        along, across = _variances(noise_jacobian(exactly, chunk=8), exactly, every)
        for method in STOPPING:
            channel: Channel = "magnitude" if isinstance(method, LatticeProbing) else "complex"
            exact = torch.full(point.image.shape, torch.nan, dtype=torch.float64)
            exact[every[:, 0], every[:, 1]] = along if channel == "magnitude" else along + across
            runs = [_run(method, operator, point, exact, channel=channel, seed=seed) for seed in range(n_runs)]
            within, inside, evaluations, errors = (np.array(column) for column in zip(*runs, strict=True))
            rows.append(
                {
                    "model": model,
                    "matrix": f"{side} x {side}",
                    "of": channel,
                    "target [%]": 100 * method.target,
                    "sign sets at least": getattr(method, "n_signs", 1),
                    "runs": n_runs,
                    "evaluations": float(np.median(evaluations)),
                    "median error / target": float(np.median(errors)) / method.target,
                    "runs within target": float(within.mean()),
                    "voxels within 1.96 standard errors": float(inside.mean()),
                }
            )
    return pd.DataFrame(rows)


def _variances(operator: LinearOperator, point: OperatingPoint, voxels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Of some voxels, exact: along the phase of the image, which is that of the magnitude, and across it."""
    directions = unit_phase(point.image) * torch.tensor([1, 1j]).to(point.image)[:, None, None]
    if point.image_domain is not None:
        adjoint = AdjointProducts.of(point, point.image_domain, chunk=8)
        parts = [adjoint.variances(directions, part) for part in torch.split(voxels, 64)]
        return tuple(torch.cat(parts, dim=1))
    return tuple(
        torch.cat(
            [
                operator.adjoint(weighted_voxels(direction, part)).abs().double().square().flatten(1).sum(1) / 2
                for part in torch.split(voxels, 64)
            ]
        )
        for direction in directions
    )


def _run(
    method: LatticeProbing | ComplexLatticeProbing,
    operator: LinearOperator,
    point: OperatingPoint,
    exact: torch.Tensor,
    *,
    channel: Channel,
    seed: int,
) -> tuple[bool, float, int, float]:
    *_, last = _snapshots(method, operator, point, torch.Generator().manual_seed(seed))
    variance, standard_error = last.channels[channel]
    truth, found = exact[point.object], variance[point.object]
    error = float((found.sqrt() - truth.sqrt()).norm() / truth.sqrt().norm())
    z = (found - truth) / standard_error[point.object]
    return error <= method.target, float((z.abs() < 1.96).double().mean()), last.n_evaluations, error


def _snapshots(
    method: LatticeProbing | ComplexLatticeProbing,
    operator: LinearOperator,
    point: OperatingPoint,
    generator: torch.Generator,
) -> Iterator[VarianceEstimate]:
    """What a method does, with an operator in place of the point's own where it takes forward products."""
    if point.image_domain is not None:
        return method(point, generator)
    task, image, region = method.task, point.image, point.object
    plan = plan_with(operator, task, point, generator, chunk=16)
    products = BothProducts(operator, 8 if isinstance(method, ComplexLatticeProbing) else 64, point.controls)
    return probe(products, image, region, plan, generator, task=task, n_before=plan.n_evaluations)


COLOURS = {"random lines": "tab:red", "equispaced": "tab:blue", "Poisson disc": "tab:green"}
STYLES = {4: "-", 8: ":"}
MARKERS = {"brain_phantom": "o", "brain_flash_16ch": "s", "brain_t1_7ch": "^"}


def figure_of(magnitude: pd.DataFrame, both: pd.DataFrame) -> Figure:
    """Evaluations over the error that is asked for, of the magnitude and of the complex image; a column a model."""
    tables = {"magnitude": (magnitude, 2), "complex image": (both, 4)}
    models = [m for m in MODELS if any(len(table) and (table["model"] == m).any() for table, _ in tables.values())]
    figure = Figure(figsize=(3.6 * len(models) + 2.2, 7), layout="constrained", dpi=100)
    panels = figure.subplots(2, len(models), sharex=True, sharey="row", squeeze=False)
    targets = np.array(TARGETS)
    lines = {}
    for (name, (table, law)), row in zip(tables.items(), panels, strict=True):
        for axes, model in zip(row, models, strict=True):
            label = "Monte Carlo,\npublished sketch"
            (lines[label],) = axes.loglog(100 * targets, 1 / (law * targets**2), "k--")
            of_model = table[table["model"] == model] if len(table) else table
            for (scan, mask, r), rows in of_model.groupby(["scan", "mask", "R"]) if len(of_model) else ():
                look = {"color": COLOURS[mask], "ls": STYLES[r], "marker": MARKERS[scan], "ms": 4, "lw": 1}
                (line,) = axes.loglog(rows["target [%]"], rows["evaluations"], **look)
                lines[f"{mask}, R = {r},\n{scan}"] = line
            axes.set(title=f"{model}, {name}", xticks=[1, 2, 3, 5], xticklabels=["1", "2", "3", "5"])
            axes.xaxis.set_minor_formatter(NullFormatter())
        row[0].set(ylabel="evaluations")
    for axes in panels[-1]:
        axes.set(xlabel="error of the std map [%]")
    figure.legend(lines.values(), lines.keys(), loc="outside right center", fontsize=8)
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
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="whose gains to measure")
    parser.add_argument("--again", action="store_true", help="measure gains again that a former run left in runs/")
    arguments = parser.parse_args()
    keep_freed_memory()
    for part in arguments.parts:
        if part in GAINS:
            tables = gain_tables(part, arguments.models, quick=arguments.quick, again=arguments.again)
        else:
            tables = {part: OTHERS[part](quick=arguments.quick)}
        for name, table in tables.items():
            print(f"\n{name}\n{table.to_string(index=False)}", flush=True)
        if not arguments.quick:
            write_page(tables)


GAINS: dict[str, Callable[..., Iterator[dict[str, str | float]]]] = {"cases": magnitude_rows, "complex": complex_rows}


def gain_tables(part: str, models: Sequence[str], *, quick: bool, again: bool) -> dict[str, pd.DataFrame]:
    """Every case, and the medians over them; cases that a former run left in ``runs`` are not repeated."""
    table = pd.DataFrame() if quick else _found(part)
    if again and not table.empty:
        table = table[~table["model"].isin(models)]
    for case in cases(quick=quick):
        if case.model not in models or (not table.empty and bool((_keys(table) == case.key).any())):
            continue
        rows = pd.DataFrame(GAINS[part](case, quick=quick))
        print(rows.to_string(index=False), flush=True)
        table = pd.concat([table, rows], ignore_index=True)
        if not quick:
            _file(part).parent.mkdir(exist_ok=True)
            table.to_csv(_file(part), index=False)
            draw(figure_of(_found("cases"), _found("complex")), ROOT / "docs" / "images" / "estimators.png")
            write_page({f"{part} medians": medians(table), part: table})
    return {f"{part} medians": medians(table), part: table}


def _file(part: str) -> Path:
    return ROOT / "runs" / ("estimators.csv" if part == "cases" else f"estimators_{part}.csv")


def _found(part: str) -> pd.DataFrame:
    return pd.read_csv(_file(part)) if _file(part).is_file() else pd.DataFrame()


def _keys(table: pd.DataFrame) -> pd.Series:
    return table["scan"] + table["model"] + table["mask"] + table["R"].astype(str)


OTHERS: dict[str, Callable[..., pd.DataFrame]] = {
    "coverage": lambda *, quick: coverage_table(n_runs=20 if quick else 200),
    "linear parts": linear_parts_table,
    "whole": whole_table,
    "memory": lambda *, quick: memory_table(SMALL, quick=quick),
}
PARTS = (*GAINS, *OTHERS)


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
