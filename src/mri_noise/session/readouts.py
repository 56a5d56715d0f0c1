"""Exact read-outs of a run: its reconstruction is linearised again, once, and then each costs a product or two."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from mri_noise.arrays import RealMap
from mri_noise.linop import LinearOperator
from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.report import estimate_of
from mri_noise.roi import Roi
from mri_noise.session.jobs import OpenedScan, Snapshot
from mri_noise.session.regions import contrast_sentence, exact_table
from mri_noise.variance.point import noise_jacobian
from mri_noise.variance.readout import voxel_correlation, voxel_covariance


@dataclass(frozen=True, slots=True)
class RegionReadout:
    """The exact noise of regions.

    Attributes
    ----------
    table
        A row a region: the standard deviation of its mean magnitude and of its complex mean.
    contrast
        The difference of the first two regions with its error bar, in words; empty for fewer.
    """

    table: pd.DataFrame
    contrast: str


@dataclass(frozen=True, slots=True)
class VoxelReadout:
    """A voxel (row, column), and its noise correlation with every other: shape (rows, columns)."""

    run: Snapshot
    voxel: tuple[int, int]
    correlation: RealMap


def read_regions(run: Snapshot, opened: OpenedScan, rois: Sequence[Roi], cache: StageCache) -> Iterator[RegionReadout]:
    """Exact noise of the mean of each region, three products each, and of the contrast of the first two, one."""
    operator = linearised(run, opened, cache)
    table = exact_table(run.result, operator, rois)
    drawn = [roi for roi, std in zip(rois, table.get("std of mean", ()), strict=True) if not math.isnan(std)]
    contrast = contrast_sentence(run.result, operator, *drawn[:2]) if len(drawn) > 1 else ""
    yield RegionReadout(table, contrast)


def read_voxel(run: Snapshot, opened: OpenedScan, voxel: tuple[int, int], cache: StageCache) -> Iterator[VoxelReadout]:
    """Noise correlation of a voxel with every other: one adjoint and one forward product."""
    covariance = voxel_covariance(linearised(run, opened, cache), run.result.image, voxel).cpu()
    variance = estimate_of(run.result).variance_magnitude.to(covariance)
    yield VoxelReadout(run, voxel, voxel_correlation(covariance, voxel, variance))


def linearised(run: Snapshot, opened: OpenedScan, cache: StageCache) -> LinearOperator:
    """From white noise to image noise, B = J L, of a run.

    Raises
    ------
    ValueError
        If the scan is another one than the run's.
    """
    expected = run.result.provenance
    if opened.scan.fingerprint != expected.fingerprint:
        raise ValueError(f"{run.job.name} is of '{expected.scan}', and '{opened.scan.name}' is open; open its scan")
    experiment, index = run.result.experiment, run.result.index

    def make() -> LinearOperator:
        point = reconstruct(prepare(opened.scan, experiment, index, cache), experiment, cache)
        return noise_jacobian(point, chunk=1)

    upstream = experiment.model_dump_json(exclude={"variance", "rois", "object"})
    return cache.get(("linearised", expected.fingerprint, index, upstream), make)
