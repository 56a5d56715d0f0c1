"""Two results of the same data that the tests of tables, figures and readings share."""

from functools import cache

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.masks import Equispaced
from mri_noise.experiment import Experiment
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, run
from mri_noise.result import Result
from mri_noise.roi import Ellipse
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.sketch import Sketch

SCAN = Phantom(matrix=(32, 28), n_coils=4, n_slices=2)()
EXPERIMENT = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=8),
    coils=MapsFromFile(),
    linearity=LinearityCheck(correct=False),
    rois=(Ellipse(name="centre", center=(16, 14), radii=(4, 3)),),
)


@cache
def sketch_and_exact() -> tuple[Result, Result]:
    """A sketch of 200 probes, and the exact variance."""
    stages = StageCache()
    sketch, exact = (
        list(run(SCAN, EXPERIMENT.model_copy(update={"variance": method}), slices=[1], cache=stages))[-1]
        for method in (Sketch(n_probes=200, batch=20), Exact(batch=64))
    )
    return sketch, exact
