"""Sketch, Monte Carlo and exact rows agree, in units of their own standard errors."""

from functools import partial

import pytest
import torch

from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.replay import multiply
from mri_noise.variance.estimate import CHANNELS, Channel, VarianceEstimate, unit_phase
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian
from mri_noise.variance.sampling.exact import Exact, covariance
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.problems import point_of, problem


class Curved:
    """A reconstruction with a little curvature that is neither linear nor holomorphic."""

    replayable = True

    def __call__(self, kspace: torch.Tensor, encoding: object) -> torch.Tensor:
        x = encoding.adjoint(kspace)  # type: ignore[attr-defined]
        return x + multiply(x.conj(), x) * (0.3 + 0.1j)


def _final(point: OperatingPoint, method: Sketch | MonteCarlo | Exact, seed: int = 0) -> VarianceEstimate:
    *_, last = method(point, torch.Generator().manual_seed(seed))
    assert last.complete
    return last


@pytest.fixture(scope="module")
def point() -> OperatingPoint:
    return point_of(problem(), Curved())


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("method", [Sketch(n_probes=2000, batch=64), MonteCarlo(n_replicas=4000, batch=64)])
def test_sampling_agrees_with_exact_rows(point: OperatingPoint, method: Sketch | MonteCarlo, channel: Channel) -> None:
    exact, sampled = _final(point, Exact()), _final(point, method)
    variance, standard_error = sampled.channels[channel]
    z = (variance - exact.channels[channel].variance) / standard_error
    # 108 voxels, correlated with each other: the largest |z| of as many is below 4.5, and the mean z^2 near 1
    assert z.abs().max() < 4.5
    assert 0.6 < z.square().mean() < 1.5


def test_exact_rows_are_the_diagonal_of_the_dense_covariance(point: OperatingPoint) -> None:
    operator = noise_jacobian(point, chunk=5)
    n = point.image.numel()
    dense = covariance(operator, point.image)
    exact = _final(point, Exact(batch=7))
    torch.testing.assert_close(exact.channels["real"].variance.flatten(), dense.diagonal()[:n])
    torch.testing.assert_close(exact.channels["imaginary"].variance.flatten(), dense.diagonal()[n:])
    phase = unit_phase(point.image).flatten()
    along = torch.cat([torch.diag(phase.real), torch.diag(phase.imag)], dim=1)
    torch.testing.assert_close(exact.variance_magnitude.flatten(), (along @ dense @ along.T).diagonal())
    assert exact.n_evaluations == 2 * n


def test_exact_leaves_nan_where_it_has_not_been(point: OperatingPoint) -> None:
    first = next(Exact(batch=10)(point, torch.Generator()))
    assert int(torch.isfinite(first.channels["complex"].variance).sum()) == 10
    assert not first.complete


def test_exact_refuses_a_large_image(point: OperatingPoint) -> None:
    with pytest.raises(ValueError, match=r"more than variance\.max_voxels = 50 allows"):
        Exact(max_voxels=50)(point, torch.Generator())


def test_dense_covariance_refuses_a_large_image() -> None:
    big = torch.zeros(65, 64, dtype=torch.complex128)
    with pytest.raises(ValueError, match="at most 4096 voxels, got 4160"):
        covariance(Jacobian.of_steps(lambda y: y, big), big)


@pytest.mark.parametrize("method", [partial(Sketch, n_probes=7), partial(MonteCarlo, n_replicas=7)])
def test_the_batch_changes_nothing_but_memory(point: OperatingPoint, method: object) -> None:
    one, three = (_final(point, method(batch=batch), seed=5) for batch in (1, 3))  # type: ignore[operator]
    torch.testing.assert_close(one.channels["complex"].variance, three.channels["complex"].variance)
    torch.testing.assert_close(one.standard_error_magnitude, three.standard_error_magnitude)


def test_snapshots_count_and_refine(point: OperatingPoint) -> None:
    snapshots = list(Sketch(n_probes=10, batch=4)(point, torch.Generator().manual_seed(0)))
    assert [s.n_samples for s in snapshots] == [4, 8, 10]
    assert [s.n_evaluations for s in snapshots] == [4, 8, 10]
    assert [s.complete for s in snapshots] == [False, False, True]
    assert not torch.equal(snapshots[0].channels["complex"].variance, snapshots[2].channels["complex"].variance)


def test_traced_and_replayed_reconstructions_agree(point: OperatingPoint) -> None:
    class Foreign(Curved):
        replayable = False

    traced = point_of(problem(), Foreign())
    torch.testing.assert_close(_final(traced, Exact()).variance_magnitude, _final(point, Exact()).variance_magnitude)
