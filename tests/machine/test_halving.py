"""Where memory runs out a run goes on with smaller batches, and says so."""

from collections.abc import Iterator

import pytest
import torch

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.masks import Equispaced
from mri_noise.experiment import Experiment
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import run
from mri_noise.result import Result
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.check.pairs import Pairs
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Plan
from mri_noise.variance.sampling.sketch import Sketch

SCAN = Phantom(matrix=(32, 28), n_coils=4, n_slices=1)()
EXPERIMENT = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=10),
    coils=MapsFromFile(),
    variance=Sketch(n_probes=6, batch=2),
)


def _last(**update: object) -> Result:
    *_, last = run(SCAN, EXPERIMENT.model_copy(update=update))
    assert last.complete
    return last


class Exhausted(Sketch):
    """A sketch for whose batches there is no memory unless they are small."""

    largest: int

    def __call__(
        self, point: OperatingPoint, generator: torch.Generator, plan: Plan | None = None
    ) -> Iterator[VarianceEstimate]:
        if self.batch is not None and self.batch > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        yield from super().__call__(point, generator, plan)


@pytest.mark.parametrize("largest", [1, 2, 5])
def test_where_memory_runs_out_the_batch_halves_and_the_result_says_so(largest: int) -> None:
    last = _last(variance=Exhausted(n_probes=6, batch=8, largest=largest))
    said = last.experiment.variance.batch
    assert said is not None
    assert largest / 2 < said <= largest
    again = _last(variance=Sketch(n_probes=6, batch=said))
    assert last.estimate is not None
    assert again.estimate is not None
    assert torch.equal(last.estimate.channels["complex"].variance, again.estimate.channels["complex"].variance)


class ExhaustedCheck(LinearityCheck):
    """A check for whose batches there is no memory unless they are small."""

    largest: int

    def __call__(self, point: OperatingPoint, generator: torch.Generator, pairs: Pairs | None = None) -> Pairs:
        if self.batch is not None and self.batch > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(point, generator, pairs)


def test_where_memory_runs_out_the_check_of_linearity_halves_its_batch_too() -> None:
    last = _last(linearity=ExhaustedCheck(batch=8, largest=2))
    assert last.experiment.linearity.batch == 2
    assert last.experiment.variance == EXPERIMENT.variance
    again = _last(linearity=LinearityCheck(batch=2))
    assert last.linearity == again.linearity
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        _last(linearity=ExhaustedCheck(batch=8, largest=0))


def test_without_memory_for_one_sample_the_run_ends() -> None:
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        _last(variance=Exhausted(n_probes=6, batch=8, largest=0))


def test_other_errors_do_not_start_the_variance_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Sketch, "__call__", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        _last()
    assert len(calls) == 1
