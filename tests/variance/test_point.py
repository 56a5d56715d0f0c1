from dataclasses import replace

import torch

from mri_noise.arrays import Image, KSpace
from mri_noise.encoding import Sense
from mri_noise.noise import Noise
from mri_noise.replay import multiply
from mri_noise.variance.point import noise_jacobian, operating_point


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
    torch.testing.assert_close(first(white), 2 * zero_filled * encoding.adjoint(point.colouring(white)))
    noise_jacobian(replace(point, image=zero_filled), chunk=2)
    assert squaring.n_calls > n_calls + 5  # the products above, and a recording for another point
