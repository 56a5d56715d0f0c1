"""Probing with adjoint products alone, against exact answers."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mri_noise.experiment import Experiment
from mri_noise.operators.cartesian import Sense
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, prepare, reconstruct
from mri_noise.variance.estimate import unit_phase
from mri_noise.variance.lattice.adjoint_only import AdjointProducts, gathered, owners
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.lattice.probing import probe
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.plan import Lattice, Plan
from mri_noise.variance.sampling.exact import Exact
from tests.cases import reconstructor
from tests.problems import equispaced, point_of, problem
from tests.variance.operators import random_region


@dataclass(frozen=True)
class Blur:
    """A gated blur of the zero-filled image: it sees two voxels far, and is neither linear nor holomorphic."""

    replayable = False

    def __call__(self, kspace: Tensor, encoding: Sense) -> Tensor:
        return self.refine(encoding.adjoint(kspace))

    def refine(self, image: Tensor) -> Tensor:
        for _ in range(2):
            wide = torch.nn.functional.pad(image, (1, 1, 1, 0))
            around = image + 0.5 * (wide[..., 1:, :-2] + wide[..., 1:, 2:]) + 0.3j * wide[..., :-1, 1:-1]
            image = around * torch.sigmoid(2 * around.abs()) + 0.2 * around.real
        return image


def local_point(rows: int = 26, columns: int = 30) -> OperatingPoint:
    """An image that is larger than what the reconstruction sees of it at a voxel."""
    return point_of(problem(rows, columns, mask=equispaced(rows, columns, 3, 6)), Blur())


def adjoint_products(point: OperatingPoint) -> AdjointProducts:
    assert point.image_domain is not None
    return AdjointProducts.of(point, point.image_domain, chunk=8)


@pytest.fixture(scope="module")
def local() -> tuple[OperatingPoint, torch.Tensor]:
    """The point, and the exact variance of the magnitude."""
    point = local_point()
    *_, exact = Exact(batch=64)(point, torch.Generator())
    return point, exact.variance_magnitude


def test_adjoint_products_give_exact_variances(local: tuple[OperatingPoint, torch.Tensor]) -> None:
    point, exact = local
    voxels = torch.tensor([[0, 0], [17, 20], [25, 3]])
    variances = adjoint_products(point).variances(unit_phase(point.image)[None], voxels)
    torch.testing.assert_close(variances[0], exact[voxels[:, 0], voxels[:, 1]])


def test_one_product_gives_the_kernels_of_voxels_far_apart() -> None:
    """As exactly as a product of each would, where the reconstruction sees less far than they are apart."""
    point, generator = local_point(46, 50), torch.Generator().manual_seed(0)
    products = adjoint_products(point)
    directions = unit_phase(point.image) * torch.tensor([1, 1j])[:, None, None]
    voxels = torch.tensor([[9, 8], [12, 30], [35, 20], [33, 44]])
    (together,) = products.kernels(directions, [voxels], generator)
    alone = products.kernels(directions, list(voxels[:, None]), generator)
    torch.testing.assert_close(together.variance, products.variances(directions, voxels))
    energies = [
        np.concatenate([np.abs(bundle.windows(bundle.product, 9)) for bundle in bundles], axis=1)
        for bundles in ([together], alone)
    ]
    np.testing.assert_allclose(*energies, atol=1e-12)
    assert together.n_evaluations == 2


@given(st.integers(2, 3), st.integers(2, 5), st.integers(0, 2**31))
@settings(max_examples=8, deadline=None)
def test_one_voxel_a_probe_is_exact(rows: int, columns: int, seed: int) -> None:
    """For any shape and object, however far the network sees."""
    point = point_of(problem(4 * rows, 4 * columns), reconstructor("U-Net"))
    region = random_region(4 * rows, 4 * columns, torch.Generator().manual_seed(seed))
    alone = Plan(Lattice(4 * rows, 4 * columns, 0), 1, 0.01, 0.014, 8, 0.02, 8, reach=10**6)
    products = adjoint_products(point)
    *_, last = probe(products, point.image, region, alone, torch.Generator(), task=LatticeProbing().task)
    *_, exact = Exact()(point, torch.Generator())
    torch.testing.assert_close(last.variance_magnitude[region], exact.variance_magnitude[region])
    assert torch.isnan(last.variance_magnitude[~region]).all()
    assert last.n_evaluations == last.n_samples == int(region.sum())


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_energy_goes_to_the_nearest_voxel_and_none_is_lost(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    energy = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    voxels = random_region(rows, columns, generator)
    sums = gathered(energy, owners(voxels))
    torch.testing.assert_close(sums.sum(), energy.sum())
    assert (sums[~voxels] == 0).all()
    places = torch.nonzero(torch.ones_like(voxels)).double()
    distance = torch.cdist(places, places[voxels.flatten()])
    nearest = distance == distance.min(1, keepdim=True).values
    clear = nearest.sum(1) == 1  # of several at the same distance any one may have it
    least = (nearest * clear[:, None] * energy.flatten()[:, None]).sum(0)
    unclear = energy.flatten().abs() @ (nearest & ~clear[:, None]).double()
    assert ((sums[voxels] - least).abs() <= unclear + 1e-12).all()


@pytest.fixture(scope="module")
def shipped_u_net() -> tuple[OperatingPoint, torch.Tensor, torch.Tensor]:
    """The U-Net of the package on a small head, all voxels of the object, and their exact std."""
    experiment = Experiment.parse(
        {
            "undersampling": {"kind": "random-lines", "acceleration": 3, "n_calibration": 12},
            "reconstruction": {"kind": "shipped", "name": "unet"},
        }
    )
    cache, scan = StageCache(), Phantom(matrix=(64, 64), n_slices=1)()
    point = reconstruct(prepare(scan, experiment, 0, cache), experiment, cache)
    voxels = torch.nonzero(point.object)
    return point, voxels, adjoint_products(point).variances(unit_phase(point.image)[None], voxels)[0].sqrt()


@pytest.mark.parametrize("target", [0.05, 0.01])
def test_the_shipped_u_net_is_within_the_target_for_few_products(
    target: float, shipped_u_net: tuple[OperatingPoint, torch.Tensor, torch.Tensor]
) -> None:
    """The exact variances of all voxels judge the map: those of some would add a scatter of their own."""
    point, voxels, truth = shipped_u_net
    for seed in range(3):
        *_, last = LatticeProbing(target=target)(point, torch.Generator().manual_seed(seed))
        assert last.plan is not None
        assert last.n_evaluations == last.plan.n_evaluations + last.n_samples < 0.25 / (2 * target**2)
        found = last.variance_magnitude[voxels[:, 0], voxels[:, 1]].sqrt()
        assert (found - truth).norm() / truth.norm() < last.plan.upper_bound <= target


def test_sets_of_signs_and_plans_are_kept(local: tuple[OperatingPoint, torch.Tensor]) -> None:
    point, _ = local
    method = LatticeProbing(target=0.05, n_signs=2)
    *_, first = method(point, torch.Generator().manual_seed(0))
    assert first.plan is not None
    assert (first.plan.n_signs, first.plan.reach) in {(2, 4), (2, 8)}
    *_, second = method(point, torch.Generator().manual_seed(1), first.plan)
    assert second.n_evaluations == first.n_evaluations - first.plan.n_evaluations


def test_a_network_that_sees_too_far_is_probed_with_both_products() -> None:
    """The mean and the deviation of a small image, by which the network normalises, spread over all of it."""
    point = point_of(problem(14, 16), reconstructor("U-Net"))
    *_, last = LatticeProbing(target=0.02)(point, torch.Generator().manual_seed(0))
    assert last.plan is not None
    assert last.plan.reach is None
    spent = last.plan.n_evaluations
    assert last.n_evaluations == spent + last.plan.evaluations_per_product * last.n_samples
    assert spent > 8
    *_, again = LatticeProbing(target=0.02)(point, torch.Generator().manual_seed(0), last.plan)
    assert again.n_evaluations == last.n_evaluations - spent


@pytest.mark.parametrize("target", [0.1, 0.03])
def test_the_complex_variance_is_that_along_and_across_the_phase(
    local: tuple[OperatingPoint, torch.Tensor], target: float
) -> None:
    point, along = local
    *_, exact = Exact(batch=64)(point, torch.Generator())
    snapshots = list(ComplexLatticeProbing(target=target)(point, torch.Generator().manual_seed(0)))
    first, last = snapshots[0], snapshots[-1]
    assert last.plan is not None
    assert torch.isnan(first.channels["complex"].variance).all()
    assert last.n_evaluations == last.plan.n_evaluations + last.n_samples
    assert last.complete
    errors = [
        (found.sqrt() - truth.sqrt()).norm() / truth.sqrt().norm()
        for found, truth in (
            (last.channels["complex"].variance, exact.channels["complex"].variance),
            (last.variance_magnitude, along),
        )
    ]
    assert errors[0] < target
    assert errors[1] < 2**0.5 * target
    again = list(ComplexLatticeProbing(target=target)(point, torch.Generator().manual_seed(1), last.plan))[-1]
    assert again.n_evaluations == last.n_samples
