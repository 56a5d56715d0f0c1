import pytest
import torch
from torch import Tensor

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.fourier import centered_ifft
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.reconstructor import Reconstructor
from tests.problems import Problem, equispaced, problem
from tests.recon import references

LINEAR = [ZeroFilled(), CGSense(), CGSense(tikhonov=0.2)]


def uneven(rows: int, columns: int, n_coils: int = 3) -> Problem:
    """Coil maps that are not normalised and are zero in a corner."""
    p = problem(rows, columns, n_coils, equispaced(rows, columns, 2, 2))
    maps = p.encoding.coil_maps * torch.linspace(0.5, 3, columns, dtype=torch.float64)
    maps[:, : rows // 2, : columns // 3] = 0
    encoding = Sense(maps, p.encoding.mask)
    return Problem(encoding, p.noise, encoding(centered_ifft(p.kspace).sum(0)))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def test_reconstructors_fit_the_protocol() -> None:
    for choice in LINEAR:
        assert isinstance(choice(), Reconstructor)


def test_zero_filled_divides_by_the_sum_of_squares() -> None:
    p = uneven(5, 6)
    coil_images = centered_ifft(p.kspace)
    expected = torch.zeros(5, 6, dtype=torch.complex128)
    for i in range(5):
        for k in range(6):
            s = p.encoding.coil_maps[:, i, k]
            if s.any():
                expected[i, k] = torch.vdot(s, coil_images[:, i, k]) / torch.vdot(s, s)
    torch.testing.assert_close(ZeroFilled()()(p.kspace, p.encoding), expected)


@pytest.mark.parametrize("choice", [ZeroFilled(), CGSense(tikhonov=0)])
def test_fully_sampled_data_give_the_image_back(choice: ZeroFilled | CGSense) -> None:
    p = uneven(7, 8)
    encoding = Sense(p.encoding.coil_maps, torch.ones(7, 8, dtype=torch.bool))
    image = noise(7, 8) * (encoding.coil_maps[0] != 0)
    torch.testing.assert_close(choice()(encoding(image), encoding), image, rtol=0, atol=1e-9)


def test_cg_sense_of_full_sampling_and_unit_maps_is_the_combination_of_coil_images() -> None:
    p = problem(6, 9, 4, torch.ones(6, 9, dtype=torch.bool))
    kspace = noise(4, 6, 9)
    expected = (p.encoding.coil_maps.conj() * centered_ifft(kspace)).sum(0)
    torch.testing.assert_close(CGSense(tikhonov=0)()(kspace, p.encoding), expected)


@pytest.mark.parametrize(("rows", "columns", "n_coils"), [(5, 6, 3), (6, 5, 1), (4, 9, 2)])
@pytest.mark.parametrize("tikhonov", [1e-3, 0.3])
def test_cg_sense_is_the_dense_regularised_solution(rows: int, columns: int, n_coils: int, tikhonov: float) -> None:
    p = uneven(rows, columns, n_coils)
    kspace = noise(n_coils, rows, columns)
    matrix = references.dense(p.encoding)
    weight = tikhonov * float(p.encoding.coil_maps.abs().square().sum(0).max())
    expected = references.solve(matrix, (matrix.mH @ kspace.flatten()).reshape(rows, columns), weight)
    reconstructor = CGSense(tikhonov=tikhonov)()
    torch.testing.assert_close(reconstructor(kspace, p.encoding), expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(reconstructor.weight(p.encoding), torch.tensor(weight, dtype=torch.float64))


def test_weight_is_relative_to_the_scale_of_the_maps() -> None:
    p = uneven(5, 6)
    rescaled = Sense(7 * p.encoding.coil_maps, p.encoding.mask)
    for choice in LINEAR:
        image = choice()(p.kspace, p.encoding)
        torch.testing.assert_close(choice()(7 * p.kspace, rescaled), image)


@pytest.mark.parametrize("choice", LINEAR)
def test_linear_in_complex_numbers_and_batched(choice: ZeroFilled | CGSense) -> None:
    p = uneven(5, 8)
    kspace = noise(2, 3, *p.kspace.shape)
    images = choice()(kspace, p.encoding)
    one_by_one = torch.stack([choice()(k, p.encoding) for k in kspace.flatten(0, 1)]).unflatten(0, (2, 3))
    torch.testing.assert_close(images, one_by_one)
    mixed = choice()((2 - 1j) * kspace[0, 0] + 3j * kspace[1, 2], p.encoding)
    torch.testing.assert_close(mixed, (2 - 1j) * images[0, 0] + 3j * images[1, 2])


@pytest.mark.parametrize("choice", [*LINEAR, CGSense(tikhonov=0)])
@pytest.mark.parametrize("p", [uneven(5, 6), problem(6, 5, 1, torch.ones(6, 5, dtype=torch.bool))])
def test_jacobian_is_the_reconstruction_itself(choice: ZeroFilled | CGSense, p: Problem) -> None:
    references.assert_jacobian_is_exact(choice(), p.kspace, p.encoding)


def test_single_precision_agrees_with_double() -> None:
    mask = equispaced(24, 27, 3, 5)
    double, single = (problem(24, 27, mask=mask, dtype=dtype) for dtype in (torch.complex128, torch.complex64))
    for choice in LINEAR:
        expected, got = (choice()(p.kspace, p.encoding) for p in (double, single))
        error = torch.linalg.vector_norm(got - expected) / torch.linalg.vector_norm(expected)
        assert got.dtype == torch.complex64
        assert error < 1e-4
