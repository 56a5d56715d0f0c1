"""Draw the figures of the documentation from the sample scan."""

from pathlib import Path

from mri_noise import Experiment, open_scan, run
from mri_noise.acquisition.masks import Equispaced
from mri_noise.pipeline import StageCache
from mri_noise.report import comparison_figure, draw, result_figure
from mri_noise.result import Result
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
SLICE = 2
N_SAMPLES = 400


def main() -> None:
    """Write docs/images/*.png."""
    IMAGES.mkdir(exist_ok=True)
    scan, cache = open_scan(ROOT / "sample_data" / "brain_phantom.h5"), StageCache()

    def complete(variance: Sketch | MonteCarlo) -> Result:
        experiment = Experiment(undersampling=Equispaced(acceleration=4), variance=variance)
        *_, last = run(scan, experiment, slices=[SLICE], cache=cache)
        return last

    sketch, replicas = complete(Sketch(n_probes=N_SAMPLES)), complete(MonteCarlo(n_replicas=N_SAMPLES))
    draw(result_figure(sketch), IMAGES / "maps.png")
    draw(comparison_figure(sketch, replicas), IMAGES / "comparison.png")


if __name__ == "__main__":
    main()
