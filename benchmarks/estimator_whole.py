"""What the whole of a noise map costs and how true it is: beside replicas, at the noise that is there and at more."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from estimator_cases import MASKS, MEASURED, ROOT

from mri_noise.acquisition.noise import white_probes
from mri_noise.arrays import Mask, RealMap
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.pipeline import StageCache, prepare, reconstruct, run
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.result import Result
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.lattice.magnitude import LatticeProbing

TARGETS = (0.05, 0.03, 0.02)
REPLICAS, CHUNK = 3200, 4
"""Replicas of a reference, whose own error is 1 / sqrt(2 x 3200) = 1.25 %, and those computed at once."""


@dataclass(frozen=True)
class WholeCase:
    """A scan with a network, a mask and a multiple of its noise."""

    scan: str
    model: str
    mask: str
    acceleration: int
    noise: float

    @property
    def experiment(self) -> Experiment:
        return Experiment(
            undersampling=MASKS[self.mask](self.acceleration),
            reconstruction=Shipped(name=self.model),
            noise_scale=self.noise,
        )

    @property
    def path(self) -> Path:
        sample = ROOT / "sample_data" / self.scan
        return sample if sample.is_file() else MEASURED / self.scan

    @property
    def key(self) -> str:
        """What its reference is called."""
        return f"{Path(self.scan).stem}-{self.model}-{self.mask.replace(' ', '-')}-{self.acceleration}-x{self.noise:g}"


SAMPLE, BODY, SEVEN = "brain_phantom.h5", "brain_flash_2ch_bodycoil.h5", "brain_t1_7ch.h5"
CASES = (
    *(WholeCase(SAMPLE, "modl", "equispaced", 4, noise) for noise in (1.0, 3.0, 10.0)),
    *(WholeCase(SAMPLE, "unet", "equispaced", 4, noise) for noise in (1.0, 3.0, 10.0)),
    *(WholeCase(SAMPLE, "varnet", "random lines", 4, noise) for noise in (1.0, 3.0, 10.0)),
    *(WholeCase(SAMPLE, "unrolled", "Poisson disc", 4, noise) for noise in (1.0, 3.0)),
    WholeCase(SAMPLE, "modl", "random lines", 8, 1.0),
    WholeCase(BODY, "modl", "equispaced", 4, 1.0),
    WholeCase(BODY, "varnet", "equispaced", 4, 1.0),
    WholeCase(SEVEN, "modl", "equispaced", 4, 1.0),
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The variance of the magnitude by replicas: shape (rows, columns)."""

    variance: RealMap
    n_replicas: int

    def error_of(self, variance: RealMap, region: Mask) -> float:
        """NRMSE of a std map, less the reference's own share of it."""
        truth, found = self.variance[region], variance[region].double()
        squared = float((found.sqrt() - truth.sqrt()).square().sum() / truth.sum())
        return math.copysign(abs(squared - 1 / (2 * self.n_replicas)) ** 0.5, squared - 1 / (2 * self.n_replicas))


def reference(case: WholeCase, folder: Path, n_replicas: int = REPLICAS) -> Reference:
    """Compute it, or go on where a former run stopped."""
    path = folder / f"{case.key}.pt"
    cache, scan = StageCache(), open_scan(case.path)
    point = reconstruct(prepare(scan, case.experiment, 0, cache), case.experiment, cache)
    zero = torch.zeros(point.image.shape, dtype=torch.float64)
    n, first, second = torch.load(path, weights_only=True) if path.is_file() else (0, zero, zero)
    folder.mkdir(parents=True, exist_ok=True)
    while n < n_replicas:
        generator, shape = torch.Generator().manual_seed(1_000_000 + n), point.noise_shaping.in_shape
        for white in white_probes(100, shape, generator, point.kspace, draw="gaussian", chunk=CHUNK):
            with torch.no_grad():
                replicas = point.reconstruct(point.kspace + point.noise_shaping(white))
            changes = (replicas.abs() - point.image.abs()).double()
            n, first, second = n + len(changes), first + changes.sum(0), second + changes.square().sum(0)
        torch.save((n, first, second), path)
    return Reference((second - first.square() / n) / (n - 1), n)


def rows_of(case: WholeCase, folder: Path, *, n_replicas: int = REPLICAS) -> Iterator[dict[str, str | float]]:
    """One row for each target; first what the linear part at the data and the averaged one are off by, alone."""
    truth, scan = reference(case, folder, n_replicas), open_scan(case.path)
    for target in TARGETS:
        experiment = case.experiment.model_copy(update={"variance": LatticeProbing(target=target)})
        *_, result = run(scan, experiment)
        estimate, linearity = result.estimate, result.linearity
        if estimate is None or linearity is None or estimate.plan is None:
            raise ValueError(f"no map of {case.key}")
        yield {
            "scan": Path(case.scan).stem,
            "model": case.model,
            "mask": case.mask,
            "R": case.acceleration,
            "noise": f"x {case.noise:g}",
            "target [%]": 100 * target,
            "plan": estimate.plan.words.partition(":")[0],
            "pairs": linearity.n_pairs,
            "evaluations": estimate.n_evaluations,
            "gain": 1 / (2 * target**2) / estimate.n_evaluations,
            "linear part off by [%]": 100 * linearity.bias,
            "stated [%]": 100 * estimate.nrmse(result.object),
            "true [%]": 100 * truth.error_of(estimate.variance_magnitude, result.object),
            "within 1.96 standard errors": _coverage(result, truth),
        }


def _coverage(result: Result, truth: Reference) -> float:
    assert result.estimate is not None
    inside = result.object
    variance, error = (each[inside].double() for each in result.estimate.channels["magnitude"])
    expected, n = truth.variance[inside], truth.n_replicas
    z = (variance - expected) / (error.square() + 2 * expected.square() / (n - 1)).sqrt()
    return float((z.abs() < 1.96).double().mean())


def whole_table(*, quick: bool) -> pd.DataFrame:
    """Every case."""
    folder, rows = ROOT / "runs" / "references", []
    for case in CASES[:2] if quick else CASES:
        of_case = list(rows_of(case, folder, n_replicas=400 if quick else REPLICAS))
        print(pd.DataFrame(of_case).to_string(index=False, header=not rows), flush=True)
        rows += of_case
    return pd.DataFrame(rows)


def linear_parts_table(*, quick: bool) -> pd.DataFrame:
    """How far the derivative at the data and the averaged one are off alone, by pairs of their own."""
    rows = []
    for case in CASES[:2] if quick else CASES:
        cache, scan = StageCache(), open_scan(case.path)
        row: dict[str, str | float] = {
            "scan": Path(case.scan).stem,
            "model": case.model,
            "mask": case.mask,
            "R": case.acceleration,
            "noise": f"x {case.noise:g}",
        }
        choices: dict[str, Literal["point", "noise"]] = {"at the data": "point", "averaged": "noise"}
        for name, where in choices.items():
            settings = LinearityCheck(linearise=where, n_pairs=8 if quick else 32)
            experiment = case.experiment.model_copy(update={"linearity": settings})
            point = reconstruct(prepare(scan, experiment, 0, cache), experiment, cache)
            pairs = settings(point, torch.Generator().manual_seed(7))
            excess = Excess(pairs)
            of_pair = pairs.excess("magnitude").var(0) / pairs.power("magnitude").mean(0)
            total = pairs.power("magnitude").mean(0).sum()
            row |= {
                f"off by [%], {name}": 100 * excess.bias,
                f"share left, {name}": pairs.remainder("magnitude"),
                f"one pair scatters by [%], {name}": 100 * float(of_pair.sum() / (4 * total)) ** 0.5,
            }
        print(pd.DataFrame([row]).to_string(index=False, header=not rows), flush=True)
        rows.append(row)
    return pd.DataFrame(rows)
