"""What holds for every reconstruction: its Jacobian, its adjoint, and the independence of leading axes."""

import pickle  # noqa: TID251 - between our own processes
from functools import partial

import pytest
import torch

from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.linop import dot_test
from mri_noise.recon.python import PythonReconstruction
from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.recon.weights.shipped import Shipped
from tests.cases import RECONSTRUCTIONS, reconstructor
from tests.problems import equispaced, problem
from tests.rounding import BITS, emulated, most_by_accumulation, off

MASKS = {
    "9 x 14": equispaced(9, 14, 2, 4),
    "12 x 11": equispaced(12, 11, 2, 4),
    "2-D, 10 x 9": torch.rand(10, 9, generator=torch.Generator().manual_seed(0)) < 0.5,
}
MASKS["2-D, 10 x 9"][3:7, 3:6] = True

every_reconstruction = pytest.mark.parametrize("name", RECONSTRUCTIONS)
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


def _jacobian(name: str, mask: torch.Tensor) -> tuple[Jacobian, partial[torch.Tensor]]:
    p = problem(*mask.shape, n_coils=3, mask=mask)
    function = partial(reconstructor(name), encoding=p.encoding)
    return Jacobian.of_steps(function, p.kspace, chunk=2), function


def _random(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)


def test_the_cases_cover_every_choice() -> None:
    choices = set(Reconstruction.alternatives())
    assert {type(settings) for settings in RECONSTRUCTIONS.values()} == choices - {
        Checkpoint,
        Shipped,
        PythonReconstruction,
    }


@every_reconstruction
@every_mask
def test_adjoint(name: str, mask: torch.Tensor) -> None:
    jacobian, _ = _jacobian(name, mask)
    assert dot_test(jacobian, torch.Generator().manual_seed(1)) < 1e-10


@every_reconstruction
@every_mask
def test_forward_product_is_the_central_difference(name: str, mask: torch.Tensor) -> None:
    jacobian, function = _jacobian(name, mask)
    v = _random(jacobian.in_shape, 2)
    v = v / torch.linalg.vector_norm(v) * torch.linalg.vector_norm(jacobian.at)
    step = 1e-6
    with torch.no_grad():
        difference = (function(jacobian.at + step * v) - function(jacobian.at - step * v)) / (2 * step)
    error = torch.linalg.vector_norm(jacobian(v) - difference) / torch.linalg.vector_norm(difference)
    # truncation is of order step^2 and rounding of order 1e-15 / step, unless a gate switches between the two points
    assert error < 1e-6


@every_reconstruction
def test_adjoint_product_is_torchs_vjp(name: str) -> None:
    jacobian, function = _jacobian(name, MASKS["9 x 14"])
    u = _random((3, *jacobian.out_shape), 3)
    at = jacobian.at.clone().requires_grad_()
    value = function(at)
    expected = [torch.autograd.grad(value, at, each, retain_graph=True)[0] for each in u]
    torch.testing.assert_close(jacobian.adjoint(u), torch.stack(expected), rtol=1e-7, atol=1e-9)


@every_reconstruction
@every_mask
def test_real_linear(name: str, mask: torch.Tensor) -> None:
    jacobian, _ = _jacobian(name, mask)
    v, w = _random(jacobian.in_shape, 4), _random(jacobian.in_shape, 5)
    torch.testing.assert_close(jacobian(3 * v - 2 * w), 3 * jacobian(v) - 2 * jacobian(w), rtol=1e-8, atol=1e-8)


@every_reconstruction
def test_leading_axes_are_independent(name: str) -> None:
    _, function = _jacobian(name, MASKS["9 x 14"])
    data = problem(9, 14, n_coils=3).kspace * torch.tensor([1.0, 2.0, -1j])[:, None, None, None]
    with torch.no_grad():
        together = function(data)
        apart = torch.stack([function(each) for each in data])
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("name", [name for name in RECONSTRUCTIONS if not name.startswith(("U-Net of", "VarNet"))])
def test_unsampled_points_do_not_matter(name: str) -> None:
    """The others take k-space whose unsampled points are zero, as those of every Slice are."""
    p = problem(9, 14, n_coils=3)
    noise = _random(tuple(p.kspace.shape), 6) * ~p.encoding.mask
    function = partial(reconstructor(name), encoding=p.encoding)
    with torch.no_grad():
        torch.testing.assert_close(function(p.kspace + noise), function(p.kspace))


@every_reconstruction
def test_pickled(name: str) -> None:
    jacobian, function = _jacobian(name, MASKS["9 x 14"])
    v = _random((2, *jacobian.in_shape), 4)
    again, image = pickle.loads(pickle.dumps((jacobian, function)))
    assert torch.equal(image(jacobian.at), function(jacobian.at))
    assert torch.equal(again(v), jacobian(v))


WITHOUT_CONVOLUTIONS = {"zero-filled", "CG-SENSE"}


@every_reconstruction
@every_mask
def test_bfloat16_changes_products_by_its_rounding(name: str, mask: torch.Tensor) -> None:
    """Whatever the processor, by what rounding does in each recorded step, and not by what two bits fewer would do.

    The error of the same steps with their numbers rounded to 8 bits, and nothing else rounded, is emulated. A processor
    whose convolutions add up in single precision has it; others have up to ``most_by_accumulation`` times as much.
    """
    function, at = _in_single_precision(name, mask)
    exact = Jacobian.of_steps(function, at)
    rounded = exact.rounded(torch.bfloat16)
    assert (rounded is None) == (name in WITHOUT_CONVOLUTIONS)
    if rounded is None:
        return
    most, (ideal, coarse) = most_by_accumulation(function, at), (emulated(function, at, n) for n in (BITS, BITS - 2))
    for error, limit, error_of_coarse in zip(*(_errors(each, exact) for each in (rounded, ideal, coarse)), strict=True):
        assert limit / 2 < error < most * limit < error_of_coarse


@pytest.mark.parametrize("name", ["U-Net", "unrolled", "VarNet"])
def test_one_wrong_step_is_told_from_rounding(name: str) -> None:
    function, at = _in_single_precision(name, MASKS["9 x 14"])
    exact, ideal = Jacobian.of_steps(function, at), emulated(function, at, BITS)
    wrong = exact.rounded(torch.bfloat16)
    assert wrong is not None
    convolutions = [each.tangent for each in wrong._tangent.tape.entries if hasattr(each.tangent, "weight")]  # type: ignore[attr-defined]
    convolutions[-1].weight.mul_(1.1)
    for error, limit in zip(_errors(wrong, exact), _errors(ideal, exact), strict=True):
        assert error > most_by_accumulation(function, at) * limit


def _in_single_precision(name: str, mask: torch.Tensor) -> tuple[partial[torch.Tensor], torch.Tensor]:
    p = problem(*mask.shape, n_coils=3, mask=mask, dtype=torch.complex64)
    made = RECONSTRUCTIONS[name]()
    if isinstance(made, torch.nn.Module):
        made.requires_grad_(False)
    return partial(made, encoding=p.encoding), p.kspace


def _errors(found: Jacobian, expected: Jacobian) -> tuple[float, float]:
    """Relative errors of forward and of adjoint products."""
    v, u = (_random((8, *shape), 6).to(torch.complex64) for shape in (found.in_shape, found.out_shape))
    return off(found(v), expected(v)), off(found.adjoint(u), expected.adjoint(u))
