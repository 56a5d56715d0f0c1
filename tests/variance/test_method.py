"""What methods say that they are able to do is what they do."""

import pytest
import torch

from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.cases import reconstructor
from tests.problems import point_of, problem

METHODS: tuple[VarianceMethod, ...] = (
    LatticeProbing(target=0.2),
    ComplexLatticeProbing(target=0.3),
    Sketch(n_probes=6, batch=2),
    MonteCarlo(n_replicas=6, batch=2),
    Exact(batch=60),
)
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)


@pytest.fixture(scope="module")
def point() -> OperatingPoint:
    return point_of(problem(), reconstructor("MoDL"))


def _snapshots(method: VarianceMethod, point: OperatingPoint) -> list[VarianceEstimate]:
    return list(method(point, torch.Generator().manual_seed(0), None))


@every_method
def test_every_snapshot_has_the_channels_that_are_named(method: VarianceMethod, point: OperatingPoint) -> None:
    assert all(set(each.channels) == set(method.channels) for each in _snapshots(method, point))


@every_method
def test_a_method_that_is_cut_short_gives_the_same_again(method: VarianceMethod, point: OperatingPoint) -> None:
    assert method.can_stop == (method.counted_by in type(method).model_fields)
    if not method.can_stop:
        with pytest.raises(ValueError, match=f"a map by {method.sample_name} cannot be cut short"):
            method.cut_to(4)
        return
    reached = _snapshots(method, point)[1]
    again = _snapshots(method.cut_to(reached.n_samples), point)[-1]
    assert again.complete
    assert again.n_samples == reached.n_samples
    for channel, pair in reached.channels.items():
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(pair, again.channels[channel], strict=True))


def test_plans_are_shared_by_methods_that_plan_and_are_asked_to() -> None:
    assert [method.shares_plan for method in METHODS] == [True, True, False, False, False]
    assert not LatticeProbing(share_pilots=False).shares_plan


def test_exact_rows_say_why_an_image_is_too_large(point: OperatingPoint) -> None:
    assert all(method.supports(point) is None for method in METHODS)
    refused = Exact(max_voxels=50).supports(point)
    assert refused is not None
    assert "more than variance.max_voxels = 50 allows" in refused
