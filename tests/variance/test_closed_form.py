import pytest
import torch

from mri_noise.acquisition.noise import Noise
from mri_noise.variance.closed_form import fully_sampled_variance, sense_variance, tikhonov_sense_variance
from tests.problems import Problem, equispaced, problem


def _dense_encoding(p: Problem) -> torch.Tensor:
    """A at the sampled points as a matrix (coils x samples, voxels)."""
    rows, columns = p.encoding.in_shape
    basis = torch.eye(rows * columns, dtype=torch.complex128).view(-1, rows, columns)
    return p.encoding(basis)[:, :, p.encoding.mask].flatten(1).T


def _dense_noise(p: Problem) -> torch.Tensor:
    n_samples = int(p.encoding.mask.sum())
    return torch.kron(p.noise.covariance, torch.eye(n_samples, dtype=torch.complex128))


@pytest.mark.parametrize(("acceleration", "offset"), [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_equispaced_sense_is_the_inverse_of_the_information(acceleration: int, offset: int) -> None:
    p = problem(5, 12, 4, equispaced(5, 12, acceleration, offset=offset))
    a = _dense_encoding(p)
    information = a.mH @ torch.linalg.solve(_dense_noise(p), a)
    expected = torch.linalg.inv(information).diagonal().real.view(5, 12)
    torch.testing.assert_close(sense_variance(p.encoding.coil_maps, p.noise.covariance, p.encoding.mask), expected)


@pytest.mark.parametrize("columns", [11, 12])
def test_tikhonov_sense_is_the_dense_covariance(columns: int) -> None:
    p = problem(6, columns, 3, equispaced(6, columns, 3, 3))
    a = _dense_encoding(p)
    inverse = torch.linalg.solve(a.mH @ a + 0.02 * torch.eye(a.shape[1]), a.mH)
    expected = (inverse @ _dense_noise(p) @ inverse.mH).diagonal().real.view(6, columns)
    got = tikhonov_sense_variance(p.encoding.coil_maps, p.noise.covariance, p.encoding.mask, 0.02)
    torch.testing.assert_close(got, expected)


def test_full_sampling_is_the_limit_of_no_acceleration() -> None:
    p = problem(5, 8, 4, equispaced(5, 8, 1))
    torch.testing.assert_close(
        sense_variance(p.encoding.coil_maps, p.noise.covariance, p.encoding.mask),
        fully_sampled_variance(p.encoding.coil_maps, p.noise),
    )


def test_voxels_off_the_maps_have_no_noise_and_spoil_no_others() -> None:
    p = problem(4, 8, 4, equispaced(4, 8, 2))
    maps = p.encoding.coil_maps.clone()
    maps[:, 1, 3] = 0
    for variance in (
        sense_variance(maps, p.noise.covariance, p.encoding.mask),
        tikhonov_sense_variance(maps, p.noise.covariance, p.encoding.mask, 0.0),
        fully_sampled_variance(maps, p.noise),
    ):
        assert variance[1, 3] == 0
        assert (torch.cat([variance[:1].flatten(), variance[2:].flatten()]) > 0).all()
        assert torch.isfinite(variance).all()


@pytest.mark.parametrize("mask", [equispaced(4, 8, 3), equispaced(4, 8, 2, 4)])
def test_a_mask_that_is_not_equispaced_is_refused(mask: torch.Tensor) -> None:
    p = problem(4, 8, 3)
    with pytest.raises(ValueError, match="every R-th column"):
        sense_variance(p.encoding.coil_maps, p.noise.covariance, mask)


def test_a_mask_along_the_rows_is_refused() -> None:
    p = problem(4, 8, 3)
    mask = equispaced(8, 4, 2).T.contiguous()
    with pytest.raises(ValueError, match="varies along the rows"):
        tikhonov_sense_variance(p.encoding.coil_maps, p.noise.covariance, mask, 0.1)


def test_an_estimated_covariance_biases_no_full_variance() -> None:
    """The optimum of n samples of p coils, n - p + 1 over n too small, is a Gamma variable of shape n - p + 1."""
    p, generator, n_samples, n_draws = problem(4, 5, 4), torch.Generator().manual_seed(0), 12, 200
    root = torch.linalg.cholesky(p.noise.covariance)
    exact, total = fully_sampled_variance(p.encoding.coil_maps, p.noise), torch.zeros(4, 5, dtype=torch.float64)
    for _ in range(n_draws):
        samples = root @ torch.randn(4, n_samples, generator=generator, dtype=torch.complex128)
        estimated = Noise(samples @ samples.mH / n_samples, "test", n_samples)
        total += fully_sampled_variance(p.encoding.coil_maps, estimated) / n_draws
    z = (total / exact - 1) * (n_draws * (n_samples - 4 + 1)) ** 0.5
    assert float(z.abs().max()) < 4.5
