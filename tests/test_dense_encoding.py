"""Any encoding will do: a random matrix, on one, two and three spatial axes, from CG-SENSE to the linearity check."""

import math
import pickle  # noqa: TID251 - between our own processes
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mri_noise.operators.linop import dot_test
from mri_noise.operators.replay import multiply
from mri_noise.recon.linear import CGSense
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.first_look import first_look
from mri_noise.variance.check.linearity import LinearityCheck, assess
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise.point import OperatingPoint, exact_noise_jacobian, operating_point
from mri_noise.variance.readout import contrast_noise, region_noise, voxel_correlation, voxel_covariance
from mri_noise.variance.sampling.exact import Exact, covariance
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.cases import reconstructor
from tests.operators.dense import DenseEncoding, dense_encoding
from tests.problems import covariance as coil_noise
from tests.recon.references import assert_jacobian_is_exact, solve

SHAPES = [((11,), (2, 9)), ((4, 5), (3, 17)), ((3, 4, 2), (2, 4, 5))]
"""Grid, and k-space: (coils, *samples)."""
TIKHONOV = 0.05

every_shape = pytest.mark.parametrize(("grid", "kspace_shape"), SHAPES, ids=str)


def _random(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)


def _point(
    grid: tuple[int, ...], kspace_shape: tuple[int, ...], reconstruct: Callable[..., Tensor], level: float = 0.05
) -> OperatingPoint:
    encoding = dense_encoding(grid, kspace_shape)
    noise = coil_noise(kspace_shape[0], torch.Generator().manual_seed(3), level)
    return operating_point(reconstruct, encoding(_random(grid, 1)), encoding, noise)


def _sense(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> OperatingPoint:
    return _point(grid, kspace_shape, CGSense(tikhonov=TIKHONOV)())


def _weight(encoding: DenseEncoding) -> float:
    return TIKHONOV * float(encoding.coil_power.max())


def _covariance(point: OperatingPoint) -> Tensor:
    """B B^H of CG-SENSE, shape (voxels, voxels): B = (A^H A + lambda)^-1 A^H (L x 1)."""
    encoding = point.encoding
    assert isinstance(encoding, DenseEncoding)
    a, n_samples = encoding.matrix, math.prod(encoding.kspace_shape[1:])
    normal = a.mH @ a + _weight(encoding) * torch.eye(a.shape[1])
    shaping = torch.kron(point.noise_shaping.factor.contiguous(), torch.eye(n_samples, dtype=a.dtype))
    b = torch.linalg.solve(normal, a.mH @ shaping)
    return b @ b.mH


def _along_phase(point: OperatingPoint) -> Tensor:
    """The covariance of magnitudes: half of Re(exp(-i phi_i) (B B^H)_ij exp(i phi_j))."""
    phase = torch.sgn(point.image).flatten()
    return (phase.conj()[:, None] * _covariance(point) * phase).real / 2


def _final(method: Sketch | MonteCarlo | Exact, point: OperatingPoint) -> VarianceEstimate:
    *_, last = method(point, torch.Generator().manual_seed(11))
    return last


@every_shape
def test_the_encoding_itself(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> None:
    encoding = dense_encoding(grid, kspace_shape)
    x = _random((2, 3, *grid), 1)
    assert dot_test(encoding, torch.Generator().manual_seed(1)) < 1e-13
    assert torch.equal(pickle.loads(pickle.dumps(encoding))(x), encoding(x))
    torch.testing.assert_close(encoding.normal(x), encoding.adjoint(encoding(x)))
    assert (encoding.lines, encoding.point_spread) == (None, None)


@every_shape
def test_noise_of_the_coils_at_every_sample(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> None:
    shaping = _sense(grid, kspace_shape).noise_shaping
    white = _random((2, *kspace_shape), 2)
    assert dot_test(shaping, torch.Generator().manual_seed(1)) < 1e-13
    torch.testing.assert_close(shaping(white), torch.tensordot(shaping.factor, white, ([1], [1])).movedim(0, 1))


@every_shape
def test_cg_sense(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> None:
    encoding = dense_encoding(grid, kspace_shape)
    kspace = _random((2, *kspace_shape), 4)
    images = CGSense(tikhonov=TIKHONOV)()(kspace, encoding)
    for image, data in zip(images, kspace, strict=True):
        torch.testing.assert_close(image, solve(encoding.matrix, encoding.adjoint(data), _weight(encoding)))


@every_shape
def test_exact_rows(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> None:
    point = _sense(grid, kspace_shape)
    of_image = _covariance(point)
    estimate = _final(Exact(batch=5), point)
    torch.testing.assert_close(estimate.channels["complex"].variance, of_image.diagonal().real.reshape(grid))
    torch.testing.assert_close(estimate.variance_magnitude, _along_phase(point).diagonal().reshape(grid))
    of_parts = torch.cat([torch.cat([of_image.real, -of_image.imag], 1), torch.cat([of_image.imag, of_image.real], 1)])
    found = covariance(exact_noise_jacobian(point, chunk=8), point.image, chunk=8)
    torch.testing.assert_close(found, of_parts / 2)


@every_shape
@pytest.mark.parametrize("method", [Sketch(n_probes=600, batch=50), MonteCarlo(n_replicas=600, batch=50)])
def test_sampling(grid: tuple[int, ...], kspace_shape: tuple[int, ...], method: Sketch | MonteCarlo) -> None:
    """The magnitude is as good as linear at this noise; voxels are few, and correlated with each other."""
    point = _point(grid, kspace_shape, CGSense(tikhonov=TIKHONOV)(), level=1e-4)
    estimate, truth = _final(method, point), _final(Exact(), point)
    for channel, (found, standard_error) in estimate.channels.items():
        z = (found - truth.channels[channel].variance) / standard_error
        assert z.abs().max() < 4.5
        assert 0.2 < z.square().mean() < 2.5


@every_shape
def test_readouts(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> None:
    point = _sense(grid, kspace_shape)
    operator = exact_noise_jacobian(point, chunk=4)
    first = torch.zeros(math.prod(grid), dtype=torch.bool)
    first[2:6] = True
    second = first.roll(3)
    a, b = (region.double() / region.sum() for region in (first, second))
    along, of_image = _along_phase(point), _covariance(point).real
    noise = region_noise(operator, point.image, first.reshape(grid))
    assert noise.standard_deviation**2 == pytest.approx(float(a @ of_image @ a))
    assert noise.standard_deviation_magnitude**2 == pytest.approx(float(a @ along @ a))
    contrast = contrast_noise(operator, point.image, first.reshape(grid), second.reshape(grid))
    assert contrast.standard_deviation**2 == pytest.approx(float((a - b) @ along @ (a - b)))
    voxel = tuple(n // 2 for n in grid)
    row = along.reshape(*grid, -1)[voxel].reshape(grid)
    found = voxel_covariance(operator, point.image, voxel)
    torch.testing.assert_close(found, row)
    correlation = voxel_correlation(found, voxel, along.diagonal().reshape(grid))
    assert float(correlation[voxel]) == pytest.approx(1)
    with pytest.raises(IndexError, match="outside the image"):
        voxel_covariance(operator, point.image, (*voxel[:-1], grid[-1]))


@every_shape
def test_a_linear_reconstruction_is_linear(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> None:
    point, settings = _sense(grid, kspace_shape), LinearityCheck()
    pairs = settings(point, torch.Generator().manual_seed(0))
    linearity = assess(Excess(pairs), point, correct=True)
    assert linearity.rho < 1e-20
    assert not first_look(pairs).variance_magnitude.isnan().any()


class _Curved:
    """The zero-filled image with a cubic term."""

    replayable = True

    def __call__(self, kspace: Tensor, encoding: DenseEncoding) -> Tensor:
        x = encoding.adjoint(kspace)
        return x - multiply(multiply(x, x.conj()), x) / 4


@every_shape
def test_a_curved_one_is_not(grid: tuple[int, ...], kspace_shape: tuple[int, ...]) -> None:
    """What its derivative leaves out grows with the noise: ten times as much noise, a hundred times the rho."""
    rho = []
    for level in (0.01, 0.1):
        point = _point(grid, kspace_shape, _Curved(), level)
        pairs = LinearityCheck(n_pairs=64)(point, torch.Generator().manual_seed(1))
        rho.append(pairs.remainder("complex"))
    assert rho[0] > 0
    assert 30 < rho[1] / rho[0] < 300


@pytest.mark.parametrize("method", [LatticeProbing(), ComplexLatticeProbing()], ids=lambda method: method.kind)
def test_methods_that_need_a_cartesian_grid_say_so(method: LatticeProbing | ComplexLatticeProbing) -> None:
    point = _sense(*SHAPES[1])
    refused = method.supports(point)
    assert refused is not None
    words = r"lattice probing is for k-space on a Cartesian grid.*variance\.kind to sketch"
    with pytest.raises(ValueError, match=words):
        next(iter(method(point, torch.Generator())))


@pytest.mark.parametrize("name", ["MoDL", "unrolled", "U-Net"])
def test_networks_that_ask_for_the_encoding_alone(name: str) -> None:
    point = _point((7, 9), (3, 40), reconstructor(name))
    assert_jacobian_is_exact(reconstructor(name), point.kspace, point.encoding)
    assert (point.controls, point.image_domain) == (None, None)


@pytest.mark.parametrize("name", ["VarNet", "VarNet of the image", "U-Net of magnitudes"])
def test_networks_that_need_a_cartesian_grid_say_so(name: str) -> None:
    with pytest.raises(TypeError, match=r"^the .* needs samples on a Cartesian grid, got DenseEncoding; choose"):
        _point((4, 5), (3, 17), reconstructor(name))


@pytest.mark.parametrize("name", ["MoDL", "unrolled", "U-Net"])
def test_networks_of_rows_and_columns_say_so(name: str) -> None:
    with pytest.raises(ValueError, match=r"filters rows and columns, got an image of shape \(11,\); choose"):
        _point((11,), (2, 9), reconstructor(name))
