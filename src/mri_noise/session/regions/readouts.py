"""Exact read-outs of a run: its reconstruction is linearised again, once, and then each costs a product or two."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mri_noise.arrays import Image, Mask, RealMap
from mri_noise.operators.linop import LinearOperator
from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.readings import estimate_of
from mri_noise.roi import Roi
from mri_noise.session.jobs import OpenedScan, Snapshot
from mri_noise.session.regions.regions import region_mask
from mri_noise.variance.linearise.point import exact_noise_jacobian
from mri_noise.variance.readout import (
    ContrastNoise,
    RegionNoise,
    contrast_noise,
    region_noise,
    voxel_correlation,
    voxel_covariance,
)


@dataclass(frozen=True, slots=True)
class Linearisation:
    """A reconstruction near its data.

    Attributes
    ----------
    operator
        B = J L, from white noise to image noise.
    image : shape (rows, columns)
        Where it was linearised, on the device that computes.
    """

    operator: LinearOperator
    image: Image


@dataclass(frozen=True, slots=True)
class RegionQuestion:
    """The mean of a region in the image of a run, or with another region the difference of their means."""

    run: Snapshot
    roi: Roi
    other: Roi | None = None

    @property
    def key(self) -> tuple[int, Roi, Roi | None]:
        """What tells it from others: number of the run, regions as they are drawn now."""
        return self.run.job.number, self.roi, self.other

    @property
    def masks(self) -> tuple[Mask, ...]:
        """The voxels of each region in the image of the run."""
        rois = (self.roi,) if self.other is None else (self.roi, self.other)
        return tuple(region_mask(self.run.result, roi) for roi in rois)

    @property
    def inside(self) -> bool:
        """Whether each region has a voxel in the image."""
        return all(bool(mask.any()) for mask in self.masks)


Readouts = Mapping[tuple[int, Roi, Roi | None], RegionNoise | ContrastNoise]
"""Answers by the keys of their questions."""


@dataclass(frozen=True, slots=True)
class VoxelReadout:
    """A voxel (row, column), and its noise correlation with every other: shape (rows, columns)."""

    run: Snapshot
    voxel: tuple[int, int]
    correlation: RealMap


def read_regions(questions: Sequence[RegionQuestion], opened: OpenedScan, cache: StageCache) -> Iterator[Readouts]:
    """Exact noise of the mean of regions, three products each, and of contrasts, one: all answers so far.

    Regions without a voxel in the image have none.

    Raises
    ------
    ValueError
        If the scan is another one than a run's.
    """
    answers: Readouts = {}
    for question in questions:
        if question.inside:
            answers = {**answers, question.key: _answer(question.masks, linearised(question.run, opened, cache))}
            yield answers


def _answer(masks: Sequence[Mask], at: Linearisation) -> RegionNoise | ContrastNoise:
    placed = [mask.to(at.image.device) for mask in masks]
    if len(placed) == 1:
        return region_noise(at.operator, at.image, placed[0])
    return contrast_noise(at.operator, at.image, *placed)


def read_voxel(run: Snapshot, opened: OpenedScan, voxel: tuple[int, int], cache: StageCache) -> Iterator[VoxelReadout]:
    """Noise correlation of a voxel with every other: one adjoint and one forward product."""
    at = linearised(run, opened, cache)
    covariance = voxel_covariance(at.operator, at.image, voxel).cpu()
    variance = estimate_of(run.result).variance_magnitude.to(covariance)
    yield VoxelReadout(run, voxel, voxel_correlation(covariance, voxel, variance))


def linearised(run: Snapshot, opened: OpenedScan, cache: StageCache) -> Linearisation:
    """Linearise the reconstruction of a run at its data.

    Raises
    ------
    ValueError
        If the scan is another one than the run's.
    """
    expected = run.result.provenance
    if opened.scan.fingerprint != expected.fingerprint:
        raise ValueError(f"{run.job.name} is of '{expected.scan}', and '{opened.scan.name}' is open; open its scan")
    experiment = run.result.experiment.model_copy(update={"tangents": "full"})  # or it would be recorded twice
    index = run.result.index

    def make() -> Linearisation:
        point = reconstruct(prepare(opened.scan, experiment, index, cache), experiment, cache)
        return Linearisation(exact_noise_jacobian(point, chunk=1), point.image)

    upstream = experiment.model_dump_json(exclude={"variance", "rois", "object"})
    return cache.get(("linearised", expected.fingerprint, index, upstream), make)
