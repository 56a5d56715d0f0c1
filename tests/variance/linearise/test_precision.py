from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch

from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.replay import Step, Tangent
from mri_noise.recon.linear import CGSense
from mri_noise.recon.networks.unet import UNetReconstructor, UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.variance.lattice.adjoint_only import AdjointProducts
from mri_noise.variance.linearise import precision
from mri_noise.variance.linearise.point import OperatingPoint, exact_noise_jacobian, noise_jacobian, operating_point
from mri_noise.variance.linearise.precision import Arithmetic, Derivative, has_bfloat16, linearised, quickest
from mri_noise.variance.sampling.exact import Exact
from tests.problems import problem
from tests.rounding import BITS, emulated, most_by_accumulation, off


@dataclass(frozen=True)
class Scaling:
    """A product with one number in the upper rows, with another in the lower ones, and a third when it is rounded."""

    upper: float
    lower: float
    lower_rounded: float

    def __call__(self, dx: torch.Tensor) -> torch.Tensor:
        factor = torch.full(dx.shape[-2:], self.upper)
        factor[4:] = self.lower
        return factor * dx

    def rounded(self, dtype: torch.dtype) -> "Scaling":
        return replace(self, lower=self.lower_rounded)


@Step
def scaled(x: torch.Tensor, *, off: float) -> torch.Tensor:
    """The identity."""
    return x


@scaled.derivative
def _(x: torch.Tensor, *, off: float) -> Tangent:
    return Scaling(1.0, 1.0, 1 + off)


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that has it."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)


def _quickest(off: float, *, rows: slice = slice(None), dtype: torch.dtype = torch.complex64) -> Derivative:
    generator = torch.Generator().manual_seed(0)
    at, probe = (torch.randn(8, 9, dtype=dtype, generator=generator) for _ in range(2))
    region = torch.zeros(8, 9, dtype=torch.bool)
    region[rows] = True
    return quickest(linearised(partial(scaled, off=off), at, probe, replayable=True), probe, region)


@pytest.mark.usefixtures("bfloat16")
def test_rounding_is_taken_up_to_one_percent() -> None:
    taken, refused = _quickest(0.0099, rows=slice(4, None)), _quickest(0.0101, rows=slice(4, None))
    assert taken.rounding == pytest.approx(0.0099, rel=1e-4)
    assert refused.rounding is None
    x = torch.ones(8, 9, dtype=torch.complex64)
    torch.testing.assert_close(taken.jacobian(x)[4:], 1.0099 * x[4:])
    torch.testing.assert_close(refused.jacobian(x), x)


@pytest.mark.usefixtures("bfloat16")
def test_only_the_error_in_the_object_counts() -> None:
    assert _quickest(0.5, rows=slice(4)).rounding == 0
    assert _quickest(0.5).rounding is None
    assert _quickest(0.0, rows=slice(0)).rounding is None  # no object, no error to judge by


@pytest.mark.usefixtures("bfloat16")
def test_double_precision_was_asked_for_and_stays() -> None:
    assert _quickest(0.001).rounding is not None
    assert _quickest(0.001, dtype=torch.complex128).rounding is None


@pytest.mark.usefixtures("bfloat16")
def test_a_traced_derivative_stays_as_it_is() -> None:
    at = torch.ones(8, 9, dtype=torch.complex64)
    full = linearised(lambda x: x * x, at, at, replayable=False)
    found = quickest(full, at, torch.ones(8, 9, dtype=torch.bool))
    assert found.rounding is None
    torch.testing.assert_close(found.jacobian(at), 2 * at)


def test_a_processor_without_bfloat16_computes_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not has_bfloat16(torch.device("cpu"))
    assert _quickest(0.001).rounding is None
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert has_bfloat16(torch.device("cpu"))
    assert _quickest(0.001).rounding is not None
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not has_bfloat16(torch.device("cpu"))


def _point(settings: UNetSettings | UnrolledSettings | CGSense, arithmetic: Arithmetic) -> OperatingPoint:
    p = problem(16, 18, dtype=torch.complex64)
    made: Reconstructor = settings()
    if isinstance(made, torch.nn.Module):
        made.requires_grad_(False)
    if isinstance(made, UNetReconstructor):
        made.unet.scale_last_layer(0.25)  # or on some processors a probe would be off by more than is taken
    return operating_point(made, p.kspace, p.encoding, p.noise, tangents=arithmetic)


NETWORKS = [
    UNetSettings(n_channels=4, n_pools=2),
    UnrolledSettings(n_steps=2, denoiser="multiscale", widths=(3, 4)),
]


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("settings", NETWORKS, ids=["U-Net", "unrolled"])
def test_noise_is_sampled_in_bfloat16_and_known_exactly_in_full_precision(
    settings: UNetSettings | UnrolledSettings,
) -> None:
    full, auto = _point(settings, "full"), _point(settings, "auto")
    white = torch.randn(
        8, *full.noise_shaping.in_shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(1)
    )
    expected = noise_jacobian(full, chunk=2)(white)
    by_rounding = off(emulated(full.reconstruct, full.kspace, BITS)(full.noise_shaping(white)), expected)
    most = by_rounding * most_by_accumulation(full.reconstruct, full.kspace)
    assert most < 0.01
    torch.testing.assert_close(exact_noise_jacobian(auto, chunk=2)(white), expected, rtol=0, atol=0)
    sampled = noise_jacobian(auto, chunk=2)(white)
    assert full.derivative.rounding is None
    assert auto.derivative.rounding is not None
    assert by_rounding / 2 < off(sampled, expected) < most
    assert by_rounding / 2 < auto.derivative.rounding < most  # which one other probe said
    exact, of_auto = (list(Exact(batch=64)(each, torch.Generator()))[-1] for each in (full, auto))
    torch.testing.assert_close(of_auto.variance_magnitude, exact.variance_magnitude, rtol=0, atol=0)


@pytest.mark.usefixtures("bfloat16")
def test_adjoint_products_alone_are_rounded_too() -> None:
    """A standard deviation is the norm of a product, and is off by no more than the product is."""
    full, auto = (_point(NETWORKS[0], arithmetic) for arithmetic in ("full", "auto"))
    voxels = torch.tensor([[3, 4], [9, 12]])
    variances = []
    for point in (full, auto):
        assert point.image_domain is not None
        products = AdjointProducts.of(point, point.image_domain, chunk=2)
        variances.append(products.variances(point.image[None] / point.image.abs(), voxels))
    assert not torch.equal(*variances)
    ones = torch.zeros(2, *full.image.shape, dtype=torch.complex64)
    ones[[0, 1], voxels[:, 0], voxels[:, 1]] = 1
    by_rounding = off(emulated(full.reconstruct, full.kspace, BITS).adjoint(ones), full.jacobian.adjoint(ones))
    most = by_rounding * most_by_accumulation(full.reconstruct, full.kspace)
    torch.testing.assert_close(variances[0].sqrt(), variances[1].sqrt(), rtol=most, atol=0)


@pytest.mark.usefixtures("bfloat16")
def test_what_has_no_convolution_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    n_recorded = []
    of_steps = Jacobian.of_steps
    monkeypatch.setattr(Jacobian, "of_steps", lambda *of, **how: n_recorded.append(1) or of_steps(*of, **how))
    point = _point(CGSense(), "auto")
    assert point.derivative.jacobian is point.jacobian
    assert len(n_recorded) == 1
