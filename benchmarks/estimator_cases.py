"""The scans, masks and networks on which estimators are measured, and what an evaluation takes there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from mri_noise.acquisition.masks import Equispaced, PoissonDisc, RandomLines, Undersampling
from mri_noise.acquisition.scan import Scan
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.operators.linop import LinearOperator
from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.lattice.adjoint_only import AdjointProducts
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Lattice, Plan

ROOT = Path(__file__).parents[1]
MEASURED = ROOT.parent / "shared" / "data"
CHUNK = 2
MODELS = ("unet", "unrolled", "modl", "varnet")
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

    @property
    def is_slow(self) -> bool:
        """Conjugate gradients, where a mask of points allows no closed form."""
        return self.model == "modl" and self.mask == "Poisson disc"

    def point(self) -> OperatingPoint:
        """Reconstruct."""
        sample = ROOT / "sample_data" / self.scan
        scan = open_scan(sample if sample.is_file() else MEASURED / self.scan)
        return point_of(scan, self.model, MASKS[self.mask](self.acceleration))


def point_of(scan: Scan, model: str, undersampling: Undersampling) -> OperatingPoint:
    experiment = Experiment(
        undersampling=undersampling, reconstruction=Shipped(name=model), linearity=LinearityCheck(linearise="point")
    )
    cache = StageCache()
    return reconstruct(prepare(scan, experiment, 0, cache), experiment, cache)


def cases(*, quick: bool) -> list[Case]:
    """The sample scan with every model, mask and acceleration, then measured brains where they are; slow ones last."""
    if quick:
        return [Case("brain_phantom.h5", model, "equispaced", 4) for model in MODELS]
    masks = [("brain_phantom.h5", mask, acceleration) for acceleration in (4, 8) for mask in MASKS]
    masks += [("brain_flash_16ch.h5", "random lines", 4)]
    masks += [("brain_t1_7ch.h5", mask, 4) for mask in MASKS]
    here = [each for each in masks if (ROOT / "sample_data" / each[0]).is_file() or (MEASURED / each[0]).is_file()]
    every = [Case(scan, model, mask, acceleration) for scan, mask, acceleration in here for model in MODELS]
    return sorted(every, key=lambda case: case.is_slow)


def seconds_per_evaluation(
    operator: LinearOperator, point: OperatingPoint, *, repeats: int, chunk: int = CHUNK
) -> dict[str, float]:
    """Medians of interleaved repeats in batches: a replica, half a probe, and a probe of the sketch as published.

    Where adjoint products may do alone, also one of them with all that is done to it.
    """
    noise = torch.randn(chunk, *point.kspace.shape, dtype=point.kspace.dtype).to(point.kspace.device)
    images = torch.randn(chunk, *point.image.shape, dtype=point.image.dtype).to(point.image.device)

    def one(white: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(point.reconstruct, (point.kspace,), (point.noise_shaping(white),))[1]

    at_once = bool((point.noise_shaping.mask == point.noise_shaping.mask[:1]).all())

    def published() -> None:
        """All probes at once; one alone where a solver of a two-dimensional mask does not batch."""
        if at_once:
            torch.func.vmap(one)(noise)
        else:
            one(noise[0])

    def replicas() -> None:
        with torch.no_grad():
            point.reconstruct(point.kspace + point.noise_shaping(noise))

    products: dict[str, Callable[[], object]] = {
        "replica": replicas,
        "probe": lambda: operator(operator.adjoint(images)),
        "published": published,
    }
    if point.image_domain is not None:
        adjoint = AdjointProducts.of(point, point.image_domain, chunk=chunk)
        colours = (torch.arange(images[0].numel()) % chunk).reshape(images[0].shape)
        plan = Plan(Lattice(1, chunk, 0), 1, 0.1, 0.1, 8, 0.1, 8, reach=4)
        products["adjoint"] = lambda: list(adjoint(images[0], colours, plan))
    elapsed: dict[str, list[float]] = {name: [] for name in products}
    for repeat in range(repeats + 1):
        for name, product in products.items():
            seconds = seconds_of(product, point.kspace.device)
            if repeat:
                elapsed[name].append(seconds / (1 if name == "published" and not at_once else chunk))
    medians = {name: median(values) for name, values in elapsed.items()}
    return medians | {"probe": medians["probe"] / 2}


def seconds_of(function: Callable[[], object], device: torch.device) -> float:
    """Time a call, and what it started on a GPU."""
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def relative(found: torch.Tensor, exact: torch.Tensor) -> float:
    """Norm of the difference of two arrays over that of the second."""
    return float(torch.linalg.vector_norm(found - exact) / torch.linalg.vector_norm(exact))


def words(plan: Plan) -> str:
    """A plan in short."""
    if plan.lattice is None:
        return "forward products"
    sets = f", {plan.n_signs} sets" if plan.n_signs > 1 else ""
    alone = "" if plan.reach is None else ", adjoint products"
    return f"{plan.lattice.row_step} x {plan.lattice.column_step} / {plan.lattice.shift}{sets}{alone}"
