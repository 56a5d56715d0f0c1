"""Forward products with control variates: right on average, closer than without, and aware of their errors."""

from dataclasses import replace

import pytest
import torch

from mri_noise.variance.calibration import SAMPLES_BEFORE_THE_FIRST_FIT
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.lattice.bundles import compute_bundles, draw_bundles
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.directions import MAGNITUDE
from mri_noise.variance.lattice.errors import nrmse, pooled
from mri_noise.variance.lattice.forward_products import forward_products, share_of_bundles, until_accurate
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.lattice.probes import BothProducts
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian
from mri_noise.variance.plan import Plan
from mri_noise.variance.rows import random_voxels
from mri_noise.variance.sampling.exact import Exact
from tests.cases import reconstructor
from tests.problems import equispaced, point_of, problem

N = 80


def _point(name: str, columns: int = 20, n_coils: int = 4) -> OperatingPoint:
    mask = equispaced(16, columns, 3, 4)
    mask[:, 1] = True
    return point_of(problem(16, columns, n_coils, mask), reconstructor(name))


def _products(point: OperatingPoint, *, controlled: bool = True) -> BothProducts:
    return BothProducts(noise_jacobian(point, chunk=8), 8, point.controls if controlled else None)


@pytest.mark.parametrize("name", ["MoDL", "unrolled"])
def test_variances_are_right_and_closer_than_without_controls(name: str) -> None:
    """Means over 12 runs are within their own errors of the truth; squared errors are those that each run measures."""
    point = _point(name)
    *_, exact = Exact()(point, torch.Generator())
    region = point.object
    controlled, plain = (_last_of_runs(point, controlled=each) for each in (True, False))
    for channel in ("magnitude", "complex"):
        truth = exact.channels[channel][0][region]
        found, of_plain = (
            torch.stack([(each.channels[channel][0][region] - truth) / truth for each in runs])
            for runs in (controlled, plain)
        )
        z = found.mean(0) / (found.std(0) / 12**0.5)
        assert z.square().mean() < 1.7  # Student's t with 11 degrees of freedom has 1.22; voxels err alike
        squared = found.square().mean()
        assert squared < 0.7 * of_plain.square().mean()
        measured = torch.stack([(each.channels[channel][1][region] / truth).square().mean() for each in controlled])
        assert 0.6 < squared / measured.mean() < 1.4


def _last_of_runs(point: OperatingPoint, *, controlled: bool) -> list[VarianceEstimate]:
    products = _products(point, controlled=controlled)
    runs = (
        forward_products(products, point.image, point.object, torch.Generator().manual_seed(seed), n_probes=N)
        for seed in range(12)
    )
    return [last for *_, last in runs]


def test_a_linear_reconstruction_is_all_but_explained() -> None:
    """CG-SENSE differs from its controls by the weight of its regularisation alone."""
    point = _point("CG-SENSE")
    *_, exact = Exact()(point, torch.Generator())
    *_, last = forward_products(
        _products(point),
        point.image,
        point.object,
        torch.Generator().manual_seed(0),
        n_probes=SAMPLES_BEFORE_THE_FIRST_FIT,
    )
    truth = exact.variance_magnitude[point.object]
    error = (last.variance_magnitude[point.object] - truth) / truth
    assert error.square().mean().sqrt() < 0.5 * (2 / SAMPLES_BEFORE_THE_FIRST_FIT) ** 0.5


def test_batches_change_nothing_but_when_coefficients_are_learned() -> None:
    point = _point("MoDL")
    maps = []
    for chunk in (4, 12):
        products = replace(_products(point), chunk=chunk)
        *_, last = forward_products(products, point.image, point.object, torch.Generator().manual_seed(0), n_probes=36)
        assert last.n_samples == last.n_evaluations == 36
        maps.append(last.variance_magnitude[point.object])
    torch.testing.assert_close(maps[0], maps[1], rtol=1e-4, atol=0)


def test_outside_the_region_there_is_nothing_and_the_first_sample_has_no_error() -> None:
    point = _point("MoDL")
    region = point.object.clone()
    region[:, :9] = False
    products = replace(_products(point), chunk=1)
    first, *_, last = forward_products(products, point.image, region, torch.Generator().manual_seed(0), n_probes=26)
    assert bool(torch.isinf(first.standard_error_magnitude[region]).all())
    for values in (*last.channels["magnitude"], *last.channels["complex"]):
        assert bool(torch.isfinite(values[region]).all())
        assert bool(torch.isnan(values[~region]).all())


def test_pilots_say_what_controls_leave() -> None:
    """Rows of single voxels give it exactly: that of the best coefficients of each, by dense algebra."""
    point = _point("MoDL", columns=14)
    assert point.controls is not None
    operator, controls = noise_jacobian(point, chunk=8), point.controls
    voxels = random_voxels(point.object, 6, torch.Generator().manual_seed(0))
    bundles = compute_bundles(
        operator,
        point.image,
        list(voxels[:, None]),
        torch.Generator(),
        directions=MAGNITUDE,
        chunk=4,
        controls=controls,
    )
    size = point.kspace.numel()
    basis = torch.eye(size, dtype=torch.complex128).view(-1, *point.kspace.shape)
    white = torch.cat([basis, 1j * basis]) / 2**0.5  # the real components of white noise
    turned = (torch.sgn(point.image).conj() * operator(white)).real
    zero_filled = controls.zero_filled(white)
    sense_image = torch.view_as_real(controls.sense_image(zero_filled))
    for bundle in bundles:
        y, x = bundle.voxels[0].tolist()
        own = torch.cat([controls.beside(sense_image, bundle.voxels), zero_filled[:, None, y, x, None]], 1)[..., 0]
        z = torch.cat([own.real, own.imag], 1)
        z = z[:, z.square().sum(0) > 1e-9 * z.square().sum(0).max()]
        rest = turned[:, y, x] - z @ torch.linalg.lstsq(z, turned[:, y, x, None], driver="gelsd").solution[:, 0]
        share = rest.square().sum() / turned[:, y, x].square().sum()
        assert float(bundle.unexplained) == pytest.approx(float(share), abs=1e-3)
    assert 0 < share_of_bundles(bundles) < 1
    assert share_of_bundles([replace(b, unexplained=torch.ones(1)) for b in bundles]) == pytest.approx(1)


@pytest.mark.parametrize("channel", ["magnitude", "complex"])
def test_they_go_on_until_the_error_is_within_the_target(channel: Channel) -> None:
    point = _point("unrolled")
    plan = Plan(None, 60, 0.05, 0.06, 8, 0.06, 4)
    estimates = forward_products(
        _products(point), point.image, point.object, torch.Generator().manual_seed(0), n_probes=4000
    )
    *early, last = until_accurate(estimates, point.object, plan, channel, most=4000, n_before=4)
    assert last.complete and not any(estimate.complete for estimate in early)
    assert last.n_evaluations == 4 + last.n_samples < 1000
    for estimate, enough in ((last, True), (early[-1], False)):
        variance, error = estimate.channels[channel]
        measured = nrmse(pooled(variance, point.object), error.square(), point.object)
        assert (1.2 * measured <= 0.06) == enough
    cut = forward_products(_products(point), point.image, point.object, torch.Generator().manual_seed(0), n_probes=16)
    *_, last = until_accurate(cut, point.object, plan, channel, most=16, n_before=4)
    assert last.complete
    assert last.n_samples == 16


@pytest.mark.parametrize("method", [LatticeProbing(target=0.1), ComplexLatticeProbing(target=0.1)])
def test_methods_take_them_where_they_are_cheapest(method: LatticeProbing | ComplexLatticeProbing) -> None:
    """CG-SENSE of a single coil and a few random lines: its noise is correlated along whole lines, and explained."""
    mask = torch.zeros(16, 40, dtype=torch.bool)
    mask[:, [2, 11, 12, 18, 19, 20, 21, 22, 29, 35]] = True
    point = point_of(problem(16, 40, 1, mask), reconstructor("CG-SENSE"))
    *_, exact = Exact()(point, torch.Generator())
    channel: Channel = "magnitude" if isinstance(method, LatticeProbing) else "complex"
    truth = exact.channels[channel][0][point.object].sqrt()
    *_, last = method(point, torch.Generator().manual_seed(0))
    assert last.plan is not None
    assert last.plan.lattice is None
    assert last.n_evaluations < (0.5 if channel == "magnitude" else 0.25) / method.target**2 + last.plan.n_evaluations
    error = float((last.channels[channel][0][point.object].sqrt() - truth).norm() / truth.norm())
    assert error < 1.5 * method.target


def test_bundles_without_controls_explain_nothing() -> None:
    point = _point("MoDL")
    generator = torch.Generator().manual_seed(0)
    voxels = draw_bundles(point.object, 2, generator)
    bundles = compute_bundles(
        noise_jacobian(point, chunk=2), point.image, voxels, generator, directions=MAGNITUDE, chunk=2
    )
    assert share_of_bundles(bundles) == pytest.approx(1)
