"""Results with random values in every field, and their comparison bit for bit."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from mri_noise.acquisition.noise import Noise
from mri_noise.acquisition.noise_sources import NoiseFromFile
from mri_noise.experiment import Experiment
from mri_noise.io.summary import CHANNEL_DATASETS, channels_of
from mri_noise.result import Provenance, Result, RoiReadout
from mri_noise.roi import Ellipse, Polygon
from mri_noise.variance.check.linearity import Linearity
from mri_noise.variance.closed_form import fully_sampled_variance
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.plan import Lattice, Plan
from mri_noise.variance.readout import RegionNoise
from mri_noise.variance.sampling.monte_carlo import MonteCarlo

VARIANCES = [name for names in CHANNEL_DATASETS.values() for name in names]

EXPERIMENTS = (
    Experiment(),
    Experiment(
        noise=NoiseFromFile(path=Path("covariance of subject ä.npy")),
        noise_scale=0.1 + 0.2,
        variance=MonteCarlo(n_replicas=7),
        rois=(
            Ellipse(name='white "matter"', center=(1 / 3, 2.0), radii=(1e-3, 7.5)),
            Polygon(vertices=((0.0, 1.0), (2.0, 3.0), (4.0, 0.1))),
        ),
        precision="complex128",
        seed=2**62 + 1,
    ),
)


def random_result(
    index: int = 0,
    *,
    seed: int = 0,
    rows: int = 5,
    columns: int = 8,
    n_coils: int = 3,
    experiment: Experiment = EXPERIMENTS[0],
    n_samples: int = 7,
    magnitude_only: bool = False,
    rois: tuple[RoiReadout, ...] = (),
    voxel_size: tuple[float, float, float] | None = (3.3, 0.9, 1.1),
) -> Result:
    """A result whose arrays are noise."""
    generator = torch.Generator().manual_seed(1000 * seed + index)
    dtype = getattr(torch, experiment.precision)
    image, zero_filled, *_ = torch.randn(2, rows, columns, generator=generator, dtype=dtype)
    variances = {name: torch.rand(rows, columns, generator=generator, dtype=torch.float64) for name in VARIANCES}
    if n_samples < 2:
        variances |= {name: torch.full_like(v, torch.inf) for name, v in variances.items() if "error" in name}
    if magnitude_only:
        variances = {name: variances[name] for name in CHANNEL_DATASETS["magnitude"]}
    plan = Plan(Lattice(2, 17, 5), 3, 0.01 / 3, 0.0125 / 3, 16, 0.02, 32) if magnitude_only else None
    prior = torch.rand(rows, columns, generator=generator, dtype=torch.float64) if magnitude_only else None
    factor = torch.randn(n_coils, n_coils, generator=generator, dtype=torch.complex128)
    noise = Noise(factor @ factor.mH + torch.eye(n_coils), f"random {index}", 50 if index % 2 else None)
    mask = torch.rand(rows, columns, generator=generator) > 0.5
    coil_maps = torch.randn(n_coils, rows, columns, generator=generator, dtype=dtype)
    return Result(
        index=index,
        image=image,
        zero_filled=zero_filled,
        estimate=VarianceEstimate(
            channels_of(variances),
            n_samples=n_samples,
            n_evaluations=2 * n_samples,
            n_total=9,
            plan=plan,
            prior_weight=prior,
        ),
        mask=mask,
        coil_maps=coil_maps,
        noise=noise,
        full_variance=fully_sampled_variance(coil_maps, noise),
        object=torch.rand(rows, columns, generator=generator) > 0.3,
        linearity=Linearity(1 / 3, 0.1, 0.05, True, 8, 24, 0.0025, True) if magnitude_only else None,
        unexplained=0.01 * (index % 50) if index % 2 else None,
        rois=rois,
        experiment=experiment,
        provenance=Provenance(
            scan="scan ü.h5",
            layout="fastMRI HDF5",
            fingerprint=f"sha256:{seed}",
            label=f"slice {index}",
            voxel_size=voxel_size,
            versions=(("python", "3.11"), ("torch", "2.5")),
            device="cpu",
            n_threads=2,
            started="2024-05-06T07:08:09+00:00",
            seconds=0.1 * (index + 1),
            peak_memory=2**40 + index,
        ),
    )


_finite = st.floats(allow_nan=False, allow_infinity=False)
_readouts = st.builds(
    RoiReadout,
    name=st.text(st.characters(codec="utf-8"), max_size=8),
    noise=st.builds(
        RegionNoise,
        n_voxels=st.integers(1, 10**6),
        mean=st.builds(complex, _finite, _finite),
        mean_magnitude=_finite,
        standard_deviation=_finite,
        standard_deviation_magnitude=_finite,
    ),
)
readouts = st.lists(_readouts, max_size=2).map(tuple)


@st.composite
def result_arguments(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Arguments of :func:`random_result` for one to three slices of one scan.

    The results themselves are made in the tests, since beartype draws random numbers, which strategies must not.
    """
    common = {
        "seed": draw(st.integers(0, 99)),
        "rows": draw(st.integers(1, 6)),
        "columns": draw(st.integers(1, 7)),
        "n_coils": draw(st.integers(1, 4)),
        "experiment": draw(st.sampled_from(EXPERIMENTS)),
        "magnitude_only": draw(st.booleans()),
        "voxel_size": draw(st.none() | st.tuples(*[st.floats(0.1, 20)] * 3)),
    }
    indices = draw(st.lists(st.integers(0, 999), min_size=1, max_size=3, unique=True))
    return [{"index": i, "n_samples": draw(st.integers(1, 9)), "rois": draw(readouts), **common} for i in indices]


def assert_same(a: Any, b: Any) -> None:
    """Fail unless two values are of one type and equal bit for bit, in every field."""
    assert type(a) is type(b)
    if is_dataclass(a):
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, Tensor):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.numpy().tobytes() == b.numpy().tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple) and a and (is_dataclass(a[0]) or isinstance(a[0], Tensor)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b
