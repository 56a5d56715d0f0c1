"""Every method says how many products it takes, those of pilots in vain included, and keeps to its limit."""

from dataclasses import replace

import pytest
import torch

from mri_noise.operators.jacobian import Jacobian
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise.point import OperatingPoint
from tests.cases import reconstructor
from tests.problems import equispaced, point_of, problem
from tests.variance.lattice.test_adjoint_only import local_point
from tests.variance.operators import Counting

Method = LatticeProbing | ComplexLatticeProbing

METHODS: dict[str, Method] = {
    "magnitude": LatticeProbing(target=0.05),
    "magnitude, most accurate": LatticeProbing(target=1e-4, max_evaluations=100),
    "magnitude, most pilots": LatticeProbing(target=1e-4, max_evaluations=100, n_bundles=64, n_signs=8),
    "complex": ComplexLatticeProbing(target=0.1),
    "complex, most accurate": ComplexLatticeProbing(target=1e-4, max_evaluations=200),
    "complex, most pilots": ComplexLatticeProbing(target=1e-4, max_evaluations=200, n_bundles=64),
}


@pytest.fixture(scope="module")
def points() -> dict[str, OperatingPoint]:
    scattered = torch.rand(14, 16, generator=torch.Generator().manual_seed(0)) < 0.2
    return {
        "adjoint products alone": local_point(),
        "a network that sees too far": point_of(problem(14, 16), reconstructor("U-Net")),
        "both products": point_of(problem(14, 16, mask=equispaced(14, 16, 2, 4)), reconstructor("MoDL")),
        "forward products": point_of(problem(14, 16, 1, scattered), reconstructor("zero-filled")),
    }


def counted(
    method: Method, point: OperatingPoint, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[int], list[VarianceEstimate]]:
    """Products at each snapshot, and the snapshots."""
    products: list[int] = []
    in_chunks = Jacobian.in_chunks  # which every product of a method goes through
    monkeypatch.setattr(Jacobian, "in_chunks", lambda *of: Counting(in_chunks(*of), products))
    totals, snapshots = [], []
    for snapshot in method(point, torch.Generator().manual_seed(0)):
        totals.append(sum(products))
        snapshots.append(snapshot)
    return totals, snapshots


@pytest.mark.parametrize("how", METHODS)
@pytest.mark.parametrize(
    "where", ["adjoint products alone", "a network that sees too far", "both products", "forward products"]
)
def test_evaluations_are_counted_and_limited(
    points: dict[str, OperatingPoint], where: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = METHODS[how]
    totals, snapshots = counted(method, points[where], monkeypatch)
    assert [s.n_evaluations for s in snapshots] == totals
    assert totals[-1] <= method.max_evaluations
    assert snapshots[-1].complete


@pytest.mark.parametrize("how", ["magnitude", "complex"])
@pytest.mark.parametrize("where", ["adjoint products alone", "a network that sees too far", "both products"])
def test_an_object_of_fewer_voxels_than_pilots(
    points: dict[str, OperatingPoint], where: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = torch.zeros_like(points[where].object)
    region[4, 7], region[5, 9], region[11, 3] = True, True, True
    totals, snapshots = counted(METHODS[how], replace(points[where], object=region), monkeypatch)
    assert [s.n_evaluations for s in snapshots] == totals


def test_where_the_limit_is_too_low_adjoint_products_are_as_accurate_as_it_allows(
    points: dict[str, OperatingPoint],
) -> None:
    plans = []
    for most in (100, 120, 400):
        method = LatticeProbing(target=0.002, n_signs=8, max_evaluations=most)
        *_, last = method(points["adjoint products alone"], torch.Generator().manual_seed(0))
        assert last.plan is not None
        assert last.plan.reach is not None
        plans.append(last.plan)
    assert plans[0].nrmse > plans[1].nrmse > plans[2].nrmse
    assert [plan.reaches_target for plan in plans] == [False, False, True]
