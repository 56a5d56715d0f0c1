"""The rows of an evaluation: one method on one case, its image quality and its noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from mri_noise.arrays import Image
from mri_noise.evaluation.bench import Bench, set_up
from mri_noise.evaluation.cases import Case
from mri_noise.evaluation.methods import Method
from mri_noise.experiment import Experiment
from mri_noise.pipeline import StageCache, run
from mri_noise.readings import comparison_of, estimate_of
from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.result import Result
from mri_noise.settings import Settings
from mri_noise.training.loop.metrics import Quality
from mri_noise.variance.compare import Comparison
from mri_noise.variance.maps import acceleration
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch


class NoiseMaps(Settings):
    """How the noise of each reconstruction is mapped, and what the map is compared with."""

    n_probes: int = Field(100, ge=1, description="Random-phase probes of the sketch")
    n_replicas: int = Field(200, ge=2, description="Replicas of the Monte Carlo reference")


@dataclass(frozen=True, slots=True)
class MapCost:
    """What a noise map took: evaluations, seconds, and peak memory [bytes]."""

    n_evaluations: int
    seconds: float
    peak_memory: int


@dataclass(frozen=True, slots=True)
class NoiseAgreement:
    """How the sketch and Monte Carlo of one reconstruction agree on the std of the magnitude, and what they took."""

    comparison: Comparison
    sketch: MapCost
    monte_carlo: MapCost


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one case.

    Attributes
    ----------
    net_acceleration
        All points of k-space over those sampled; NaN if the case could not be prepared.
    bench, image
        None if they could not be made.
    problem
        Why something is missing, in one sentence; empty if nothing is.
    """

    case: Case
    method: str
    classical: bool
    net_acceleration: float
    bench: Bench | None = None
    image: Image | None = None
    weight: float | None = None
    seconds: float | None = None
    quality: Quality | None = None
    noise: NoiseAgreement | None = None
    problem: str = ""


def evaluate(
    cases: Sequence[Case], methods: Sequence[Method], experiment: Experiment, noise_maps: NoiseMaps | None
) -> Iterator[Row]:
    """Evaluate every method on every case; what fails says so in its row."""
    cache = StageCache()
    for case in cases:
        try:
            bench = set_up(case, experiment, cache)
        except _FAILURES as error:
            yield from (
                Row(case, method.name, method.classical, float("nan"), problem=_sentence(error)) for method in methods
            )
            continue
        for method in methods:
            yield _row(bench, method, noise_maps)


_FAILURES = (ValueError, IndexError, OSError, MemoryError, RuntimeError)


def _row(bench: Bench, method: Method, noise_maps: NoiseMaps | None) -> Row:
    row = Row(bench.case, method.name, method.classical, acceleration(bench.prepared.encoding.mask), bench)
    try:
        attempt = method(bench)
        row = replace(
            row,
            image=attempt.image,
            weight=attempt.weight,
            seconds=attempt.seconds,
            quality=bench.quality(attempt.image),
        )
        if noise_maps is not None and attempt.reconstruction is not None:
            row = replace(row, noise=_noise(bench, attempt.reconstruction, noise_maps))
    except _FAILURES as error:
        row = replace(row, problem=_sentence(error))
    return row


def _noise(bench: Bench, choice: Reconstruction, noise_maps: NoiseMaps) -> NoiseAgreement:
    sketch = _complete(bench, choice, Sketch(n_probes=noise_maps.n_probes))
    monte_carlo = _complete(bench, choice, MonteCarlo(n_replicas=noise_maps.n_replicas))
    return NoiseAgreement(comparison_of(sketch, monte_carlo), _cost(sketch), _cost(monte_carlo))


def _cost(result: Result) -> MapCost:
    return MapCost(estimate_of(result).n_evaluations, result.provenance.seconds, result.provenance.peak_memory)


def _complete(bench: Bench, choice: Reconstruction, variance: VarianceMethod) -> Result:
    experiment = bench.with_reconstruction(choice).model_copy(update={"variance": variance})
    *_, result = run(bench.case.scan, experiment, slices=[bench.case.index], cache=bench.cache)
    return result


def _sentence(error: Exception) -> str:
    """An error in one line."""
    return " ".join(str(error).split()) or type(error).__name__
