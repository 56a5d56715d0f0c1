import pickle  # noqa: TID251 - between our own processes
from dataclasses import replace

import pytest
import torch

from mri_noise.acquisition.noise import Noise
from mri_noise.arrays import Image, KSpace
from mri_noise.operators.cartesian import Sense
from mri_noise.operators.replay import multiply
from mri_noise.variance.check.pairs import compute_pairs
from mri_noise.variance.linearise.draws import Draws
from mri_noise.variance.linearise.point import fitting_batch, noise_jacobian, operating_point
from tests.cases import reconstructor
from tests.problems import louder, point_of, problem


class Squaring:
    """The product of the zero-filled image with itself; counts how often it is evaluated."""

    replayable = True

    def __init__(self) -> None:
        self.n_calls = 0

    def __call__(self, kspace: KSpace, encoding: Sense) -> Image:
        self.n_calls += 1
        image = encoding.adjoint(kspace)
        return multiply(image, image)


def test_a_point_is_linearised_once_whatever_the_chunk() -> None:
    generator = torch.Generator().manual_seed(0)
    maps, kspace = (torch.randn(2, 5, 6, dtype=torch.complex64, generator=generator) for _ in range(2))
    squaring = Squaring()
    encoding = Sense(maps, torch.ones(5, 6, dtype=torch.bool))
    point = operating_point(squaring, kspace, encoding, Noise(torch.eye(2, dtype=torch.complex128), "white"))
    first = noise_jacobian(point, chunk=2)
    n_calls = squaring.n_calls
    second = noise_jacobian(point, chunk=3)
    assert squaring.n_calls == n_calls
    white = torch.randn(5, *first.in_shape, dtype=torch.complex64, generator=generator)
    torch.testing.assert_close(first(white), second(white))
    zero_filled = encoding.adjoint(kspace)
    torch.testing.assert_close(first(white), 2 * zero_filled * encoding.adjoint(point.noise_shaping(white)))
    noise_jacobian(replace(point, image=zero_filled), chunk=2)
    assert squaring.n_calls > n_calls + 5  # the products above, and a recording for another point


def _mean_direction(values: torch.Tensor) -> torch.Tensor:
    return torch.sgn(values).mean(0)


@pytest.mark.parametrize("name", ["U-Net", "MoDL", "VarNet of the image", "VarNet"])
def test_a_derivative_is_averaged_over_its_draws(name: str) -> None:
    """With more noise the mean derivative leaves less of what the network does than that at the data."""
    draws = Draws.by(torch.Generator().manual_seed(4), 8)
    plain = louder(point_of(problem(rows=16, columns=20), reconstructor(name)), 6.0)
    point = replace(plain, draws=draws)
    assert point.is_averaged
    assert point.n_evaluations == 16
    assert plain.n_evaluations == 0
    values = torch.cat([each.flatten(0, 1) for each in point.replicas(draws, chunk=6)])
    torch.testing.assert_close(point.direction, _mean_direction(values))
    left = [compute_pairs(each, Draws.by(torch.Generator().manual_seed(5), 40), chunk=8).remainder("complex")
            for each in (plain, point)]  # fmt: skip
    assert left[1] < left[0]


def test_the_steps_of_a_network_of_the_zero_filled_image_are_recorded_once() -> None:
    point = replace(point_of(problem(), reconstructor("U-Net")), draws=Draws.by(torch.Generator().manual_seed(4), 2))
    domain = point.image_domain
    assert domain is not None
    white = torch.randn(2, *point.kspace.shape, dtype=point.kspace.dtype, generator=torch.Generator().manual_seed(0))
    noise = point.noise_shaping(white)
    torch.testing.assert_close(point.image_jacobian(domain)(point.encoding.adjoint(noise)), point.jacobian(noise))


@pytest.mark.parametrize("name", ["U-Net", "MoDL", "VarNet of the image"])
def test_a_pickled_point_holds_what_defines_it_and_computes_the_rest_again(name: str) -> None:
    point = point_of(problem(), reconstructor(name))
    white = torch.randn(2, *point.kspace.shape, dtype=point.kspace.dtype, generator=torch.Generator().manual_seed(0))
    expected, controls, batch = noise_jacobian(point, chunk=2)(white), point.controls, point.fitting_batch
    again = pickle.loads(pickle.dumps(point))
    assert not {"controls", "derivative", "fitting_batch"} & vars(again).keys()
    assert torch.equal(noise_jacobian(again, chunk=2)(white), expected)
    assert controls is not None
    assert again.controls is not None
    assert torch.equal(again.controls.sense, controls.sense)
    assert again.fitting_batch == batch


def _with_free_memory(monkeypatch: pytest.MonkeyPatch, free: int, *, kept: int = 0) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 2 * free))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: kept + 1000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 1000)


@pytest.mark.parametrize(("n_forwards", "batch"), [(0, 1), (7, 1), (80, 10), (87, 10), (10_000, 32)])
def test_the_batch_of_a_gpu_follows_its_free_memory(
    n_forwards: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_free_memory(monkeypatch, n_forwards * 1_000_000)
    assert fitting_batch(torch.device("cuda"), 1_000_000) == batch
    assert fitting_batch(torch.device("cpu"), 0) == 2


def test_memory_that_torch_keeps_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_free_memory(monkeypatch, 16_000_000, kept=24_000_000)
    assert fitting_batch(torch.device("cuda"), 1_000_000) == 5
