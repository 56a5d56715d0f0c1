"""A small scan, and runs of it."""

from functools import cache
from pathlib import Path

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.masks import Equispaced
from mri_noise.experiment import Experiment
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache
from mri_noise.session.jobs import Job, OpenedScan, Snapshot, snapshots
from mri_noise.variance.sampling.sketch import Sketch

OPENED = OpenedScan(Phantom(matrix=(32, 28), n_coils=4, n_slices=3)(), Path("scan of one's own.h5"))
EXPERIMENT = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=10),
    coils=MapsFromFile(),
    variance=Sketch(n_probes=8, batch=2),
)
JOB = Job(1, OPENED, 1, EXPERIMENT)


@cache
def steps() -> tuple[Snapshot, ...]:
    """Every snapshot of one run."""
    return tuple(snapshots(JOB, StageCache()))
