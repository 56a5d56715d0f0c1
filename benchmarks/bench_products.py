"""Jacobian products against the plain forward, in full precision and in bfloat16, and the sketch against a plain vmap.

Times are medians of interleaved repeats in one process, as ratios to the forward of the same batch; memory is the
peak beyond the operating point, each case in a fresh process.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median

import pandas as pd
import torch
from estimator_cases import MODELS, Case, relative
from record import parser_of, record

from mri_noise.acquisition.noise import noise_of_level
from mri_noise.machine.measure import Meter
from mri_noise.operators.cartesian import Sense
from mri_noise.operators.jacobian import Jacobian
from mri_noise.phantom.simulation import Phantom
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian, operating_point
from mri_noise.variance.readout import readout_variance
from mri_noise.variance.rows import random_voxels, weighted_voxels
from mri_noise.variance.sampling.sketch import Sketch

BATCH = 2
REPEATS = 7
RECONSTRUCTIONS = {
    "zero-filled": ZeroFilled(),
    "CG-SENSE": CGSense(),
    "U-Net": UNetSettings(n_channels=16, n_pools=4),
    "unrolled": UnrolledSettings(n_steps=4, n_features=32),
    "MoDL": MoDLSettings(n_steps=4, n_features=32),
    "VarNet": VarNetSettings(n_cascades=4, n_channels=8, n_pools=4, sensitivity_n_channels=8),
}


def case(name: str, size: int) -> OperatingPoint:
    """A reconstruction (random weights) of the simulated brain, eight coils, every fourth line and 24 in the centre."""
    scan = Phantom(matrix=(size, size), n_coils=8, n_slices=1)()
    acquired = scan[0]
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[:, ::4] = True
    mask[:, size // 2 - 12 : size // 2 + 12] = True
    maps = acquired.coil_maps
    if maps is None:
        raise ValueError("the simulated scan has no coil maps")
    kspace = acquired.kspace * mask
    reconstructor = RECONSTRUCTIONS[name]()
    if isinstance(reconstructor, torch.nn.Module):
        reconstructor.eval().requires_grad_(False)
    return operating_point(reconstructor, kspace, Sense(maps, mask), noise_of_level(1.0, maps.shape[0]))


def times(name: str, size: int) -> dict[str, float]:
    """Seconds per probe of forward, JVP and VJP in batches, interleaved."""
    point = case(name, size)
    return _medians(_products(point, {"": Jacobian.of_steps(point.reconstruct, point.kspace, chunk=BATCH)}))


def _products(point: OperatingPoint, jacobians: dict[str, Jacobian]) -> dict[str, Callable[[], object]]:
    """A batch of forwards, and of both products of some forms of its derivative."""
    data = point.kspace + torch.randn(BATCH, *point.kspace.shape, dtype=point.kspace.dtype)
    probes = torch.randn(BATCH, *point.kspace.shape, dtype=point.kspace.dtype)
    cotangents = torch.randn(BATCH, *point.image.shape, dtype=point.kspace.dtype)

    def forward() -> None:
        with torch.no_grad():
            point.reconstruct(data)

    products: dict[str, Callable[[], object]] = {"forward": forward}
    for form, jacobian in jacobians.items():
        products[f"JVP{form}"] = partial(jacobian, probes)
        products[f"VJP{form}"] = partial(jacobian.adjoint, cotangents)
    return products


def _medians(products: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds per image or probe, of interleaved repeats."""
    elapsed: dict[str, list[float]] = {key: [] for key in products}
    for repeat in range(REPEATS + 1):
        for key, product in products.items():
            start = time.perf_counter()
            product()
            if repeat:
                elapsed[key].append((time.perf_counter() - start) / BATCH)
    return {key: median(values) for key, values in elapsed.items()}


def bfloat16_table() -> pd.DataFrame:
    """Shipped networks: products in bfloat16 beside full precision, and what rounding changes in the std map."""
    rows = []
    for model in MODELS:
        point = Case("brain_phantom.h5", model, "equispaced", 4).point()
        full = replace(point, tangents="full").jacobian.in_chunks(BATCH)
        rounded = full.rounded(torch.bfloat16)
        if rounded is None:
            raise ValueError(f"'{model}' has no convolution to round")
        seconds = _medians(_products(point, {"": full, " in bfloat16": rounded}))
        white = torch.randn(8, *point.kspace.shape, dtype=point.kspace.dtype)
        exact, found = (jacobian(point.noise_shaping(white))[:, point.object] for jacobian in (full, rounded))
        std, std_found = (_deviations(jacobian, point) for jacobian in (full, rounded))
        row: dict[str, str | float] = {"network": model, "forward [ms]": 1e3 * seconds["forward"]}
        row |= {f"{key} / forward": value / seconds["forward"] for key, value in seconds.items() if key != "forward"}
        row |= {"error of a probe [%]": 100 * relative(found, exact)}
        row |= {"error of the std [%]": 100 * relative(std_found, std)}
        rows.append(row | {"its mean [%]": 100 * float((std_found - std).mean() / std.mean())})
    return pd.DataFrame(rows)


def _deviations(jacobian: Jacobian, point: OperatingPoint) -> torch.Tensor:
    """Of the magnitude at 64 random voxels of the object, one adjoint product each."""
    voxels = random_voxels(point.object, 64, torch.Generator().manual_seed(0))
    operator = jacobian @ point.noise_shaping
    weights = weighted_voxels(unit_phase(point.image), voxels)
    return torch.tensor([readout_variance(operator, each) for each in weights]).sqrt()


def memory(method: str, name: str, size: int, n_probes: int) -> dict[str, float]:
    """Seconds and peak extra memory [MB] of a whole variance map in this process."""
    point = case(name, size)
    generator = torch.Generator().manual_seed(0)
    methods: dict[str, Callable[[], object]] = {
        "sketch": lambda: deque(Sketch(n_probes=n_probes, batch=BATCH)(point, generator), maxlen=1),
        "VJP": lambda: _adjoints(point, n_probes),
        "plain vmap(jvp)": lambda: _plain(point, n_probes),
    }
    meter = Meter(torch.device("cpu"), interval=0.001)
    with meter:
        methods[method]()
    return {"seconds": meter.cost.seconds, "MB": meter.cost.peak_memory / 1e6}


def _adjoints(point: OperatingPoint, n_probes: int) -> None:
    operator = noise_jacobian(point, chunk=BATCH)
    for _ in range(n_probes // BATCH):
        operator.adjoint(torch.randn(BATCH, *point.image.shape, dtype=point.image.dtype))


def _plain(point: OperatingPoint, n_probes: int) -> torch.Tensor:
    """All probes at once, each with its own evaluation of the network."""
    angles = 2 * torch.pi * torch.rand(n_probes, *point.kspace.shape)
    probes = point.noise_shaping(torch.polar(torch.ones_like(angles), angles))
    rows = torch.func.vmap(lambda v: torch.func.jvp(point.reconstruct, (point.kspace,), (v,))[1])(probes)
    return rows.abs().square().mean(0)


def in_fresh_process(*case: str | int) -> dict[str, float]:
    """Run :func:`memory` in a new interpreter."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def products_table(size: int, counts: tuple[int, ...]) -> pd.DataFrame:
    """One row a reconstruction."""
    rows = []
    for name in RECONSTRUCTIONS:
        seconds = times(name, size)
        row = {"reconstruction": name, "forward [ms]": 1e3 * seconds["forward"]}
        row |= {f"{key} / forward": seconds[key] / seconds["forward"] for key in ("JVP", "VJP")}
        row |= {f"sketch of {n} [MB]": in_fresh_process("sketch", name, size, n)["MB"] for n in counts}
        row |= {f"{n} VJPs [MB]": in_fresh_process("VJP", name, size, n)["MB"] for n in counts[:2]}
        rows.append(row)
    return pd.DataFrame(rows)


def plain_table(size: int, n_probes: int) -> pd.DataFrame:
    """The sketch against the plain form, by network."""
    rows = []
    for name in ("U-Net", "unrolled", "VarNet"):
        ours, plain = (in_fresh_process(method, name, size, n_probes) for method in ("sketch", "plain vmap(jvp)"))
        rows.append(
            {
                "network": name,
                "sketch [s]": ours["seconds"],
                "plain [s]": plain["seconds"],
                "plain / sketch, time": plain["seconds"] / ours["seconds"],
                "sketch [MB]": ours["MB"],
                "plain [MB]": plain["MB"],
                "plain / sketch, memory": plain["MB"] / ours["MB"],
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = parser_of(__doc__, "products")
    parser.add_argument("--size", type=int, default=128, help="rows and columns of the products table")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(memory(*json.loads(arguments.case))))
        return
    with pd.option_context("display.width", 200, "display.max_columns", None, "display.precision", 3):
        print(f"{arguments.size} x {arguments.size}, 8 coils, batches of {BATCH}, {torch.get_num_threads()} threads")
        products = products_table(arguments.size, (8, 64, 512))
        print(products.to_string(index=False))
        print("\nshipped networks, sample scan, equispaced lines, R = 4, on a processor with bfloat16")
        rounded = bfloat16_table()
        print(rounded.to_string(index=False))
        print("\n256 x 256, 8 coils, 100 probes")
        plain = plain_table(256, 100)
        print(plain.to_string(index=False))
    record(arguments.json, {"products": products, "bfloat16": rounded, "sketch": plain})


if __name__ == "__main__":
    main()
