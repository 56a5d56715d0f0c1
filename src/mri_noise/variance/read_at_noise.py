"""The variance of any read-out of an image at the noise that is there, beyond first order and without bias."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mri_noise.acquisition.noise import white_probes
from mri_noise.arrays import GridImage, GridMask, Samples
from mri_noise.variance.linearise.point import OperatingPoint

Readout = Callable[[GridImage], Tensor]
"""A real number that is read out of an image of shape (*grid)."""


@dataclass(frozen=True, slots=True)
class NoiseOfReadout:
    """The variance of a read-out of noisy data, and how well it is known.

    Attributes
    ----------
    variance
        In the read-out's units squared.
    standard_error
        Of the variance.
    n_draws
    n_evaluations
        Network-sized passes: of each draw, two forward ones and, for each read-out, two backward ones.
    """

    variance: float
    standard_error: float
    n_draws: int
    n_evaluations: int

    @property
    def standard_deviation(self) -> float:
        """Of the read-out; zero where few draws say less than nothing."""
        return max(self.variance, 0.0) ** 0.5


def read_at_noise(
    point: OperatingPoint, readouts: Sequence[Readout], generator: torch.Generator, *, n_draws: int
) -> list[NoiseOfReadout]:
    """Estimate the variance of read-outs of reconstructions of noisy data by the covariance identity.

    For any smooth h of standard normal X, with X' independent of it and X_t = t X + (1 - t^2)^(1/2) X',

        Var h(X) = integral over t from 0 to 1 of E <grad h(X), grad h(X_t)>

    (Houdre and Perez-Abreu 1995, doi:10.1214/aop/1176988290). Draws have t in as many equal parts of its interval. One
    draw is worth many replicas, since for a read-out that is nearly linear all draws say nearly the same.

    Raises
    ------
    ValueError
        If there are fewer than two draws, from whose scatter the standard error comes.
    """
    if n_draws < 2:
        raise ValueError(f"the scatter of draws needs at least 2 of them, got {n_draws}; raise n_draws")
    said = torch.empty(n_draws, len(readouts), dtype=torch.float64)
    places = (torch.arange(n_draws) + torch.rand(n_draws, generator=generator, dtype=torch.float64)) / n_draws
    for number, t in enumerate(places.tolist()):
        first, second = white_probes(2, point.noise_shaping.in_shape, generator, point.kspace, draw="gaussian", chunk=1)
        moved = t * first[0] + (1 - t**2) ** 0.5 * second[0]
        gradients = [_gradients(point, readouts, white) for white in (first[0], moved)]
        said[number] = (gradients[0].conj() * gradients[1]).real.double().flatten(1).sum(1).cpu() / 2
    n_evaluations = n_draws * 2 * (1 + len(readouts))
    errors = said.std(0) / n_draws**0.5
    return [
        NoiseOfReadout(float(mean), float(error), n_draws, n_evaluations)
        for mean, error in zip(said.mean(0), errors, strict=True)
    ]


def mean_magnitude(region: GridMask) -> Readout:
    """The mean magnitude of a region.

    Raises
    ------
    ValueError
        If the region is empty.
    """
    if not bool(region.any()):
        raise ValueError("the region holds no voxel of the image; draw it inside the image")
    return lambda image: image[region].abs().mean()


def contrast(first: GridMask, second: GridMask) -> Readout:
    """The mean magnitude of one region less that of another.

    Raises
    ------
    ValueError
        If a region is empty.
    """
    of_first, of_second = mean_magnitude(first), mean_magnitude(second)
    return lambda image: of_first(image) - of_second(image)


def _gradients(
    point: OperatingPoint, readouts: Sequence[Readout], white: Samples
) -> Float[Tensor, "readouts *samples"] | Tensor:
    """Of each read-out, with respect to the white noise of unit variance: shape (readouts, coils, *samples)."""
    source = white.detach().clone().requires_grad_()
    with torch.enable_grad():
        image = point.reconstruct(point.kspace + point.noise_shaping(source))
        values = [readout(image) for readout in readouts]
    last = len(values) - 1
    return torch.stack(
        [torch.autograd.grad(value, source, retain_graph=number < last)[0] for number, value in enumerate(values)]
    )
