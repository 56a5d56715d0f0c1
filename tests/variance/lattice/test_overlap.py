"""What the kernels of pilots predict, against what probing gives."""

import pytest
import torch
from torch import Tensor

from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.lattice.overlap import Overlap
from mri_noise.variance.lattice.probing import probe
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Lattice, Plan
from mri_noise.variance.sampling.exact import Exact
from tests.variance.lattice.test_adjoint_only import adjoint_products, local_point


@pytest.fixture(scope="module")
def local() -> tuple[OperatingPoint, torch.Tensor]:
    """The point, and the exact variance of the magnitude."""
    point = local_point()
    *_, exact = Exact(batch=64)(point, torch.Generator())
    return point, exact.variance_magnitude


def overlap_of(point: OperatingPoint, voxels: Tensor, reach: int) -> Overlap:
    """Told by kernels of single voxels."""
    products = adjoint_products(point)
    pilots = products.kernels(unit_phase(point.image)[None], list(voxels[:, None]), torch.Generator())
    return Overlap.of(products.domain, pilots, point.object, reach)


def test_only_the_cells_of_a_close_lattice_are_biased(local: tuple[OperatingPoint, torch.Tensor]) -> None:
    """Over many sets of signs what is left is what voxels lose to their neighbours, and get from them."""
    point, exact = local
    products = adjoint_products(point)
    overlap = overlap_of(point, torch.nonzero(point.object)[::37], 40)
    for lattice in (Lattice(1, 6, 2), Lattice(2, 5, 2), Lattice(1, 13, 5)):
        plan = Plan(lattice, 80, 0.1, 0.14, 8, 0.02, 8, reach=40)
        *_, last = probe(
            products,
            point.image,
            point.object,
            plan,
            torch.Generator().manual_seed(0),
            task=LatticeProbing().task,
        )
        error = (last.variance_magnitude.sqrt() - exact.sqrt()).norm() / exact.sqrt().norm()
        random = last.standard_error_magnitude / (2 * exact.sqrt())
        expected = overlap.lost(lattice) ** 2 + float((random.norm() / exact.sqrt().norm()) ** 2)
        assert float(error) ** 2 < 1.4**2 * expected


def test_what_lies_outside_the_reach_is_lost(local: tuple[OperatingPoint, torch.Tensor]) -> None:
    point, _ = local
    alone = Lattice(26, 30, 0)
    lost = [overlap_of(point, torch.tensor([[9, 9], [20, 21]]), reach).lost(alone) for reach in (0, 2, 4)]
    assert lost[0] > lost[1] > lost[2]
    assert lost[2] < 1e-9
