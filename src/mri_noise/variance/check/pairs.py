"""Reconstructions of data with opposite noise, beside what the linear part makes of it."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from mri_noise.arrays import GridImage, GridMask
from mri_noise.variance.calibration import EVALUATIONS_OF_A_PAIR
from mri_noise.variance.estimate import Channel
from mri_noise.variance.linearise.draws import Draws
from mri_noise.variance.linearise.point import OperatingPoint, noise_jacobian

_PARTS: dict[Channel, tuple[int, ...]] = {"magnitude": (2,), "complex": (0, 1), "real": (0,), "imaginary": (1,)}

Changes = Float[Tensor, "pairs 3 voxels"]
"""Of the real part, the imaginary part and the magnitude of some voxels, in the image's units."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """What noise n, its opposite and the linear part B make of the voxels of a region.

    A reconstruction h of noise is the sum of its odd part, of which B n is nearly all, and of its even part, which no
    linear map has. They are uncorrelated: Var h = E odd^2 + Var even. One noise and its opposite tell them apart, and
    B n is a control variate of the odd part alone, which leaves less of it than of h (antithetic variates: Hammersley
    and Morton 1956, doi:10.1017/S0305004100031455).

    Attributes
    ----------
    odd : shape (pairs, 3, voxels)
        (h(n) - h(-n)) / 2.
    even : shape (pairs, 3, voxels)
        (h(n) + h(-n)) / 2, up to a constant.
    linear : shape (pairs, 3, voxels)
        Of B n; that of the magnitude is Re(conj(w) B n) with w of :attr:`.OperatingPoint.direction`.
    region : shape (*grid)
    modulus : shape (voxels,)
        |w|.
    """

    odd: Changes
    even: Changes
    linear: Changes
    region: GridMask
    modulus: Float[Tensor, " voxels"]

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.odd)

    @property
    def n_evaluations(self) -> int:
        """Network-sized passes that they took."""
        return EVALUATIONS_OF_A_PAIR * self.n

    def power(self, channel: Channel) -> Float[Tensor, "pairs voxels"]:
        """What each pair says of the variance: of expectation the variance itself."""
        return self._sum(channel, self.odd.square() + self._even_variance)

    def linear_power(self, channel: Channel) -> Float[Tensor, "pairs voxels"]:
        """What each pair says of the variance of the linear part."""
        return self._sum(channel, self.linear.square())

    def excess(self, channel: Channel) -> Float[Tensor, "pairs voxels"]:
        """What each pair says of the variance beyond that of the linear part: without bias, whatever that part is."""
        return self._sum(channel, self.odd.square() - self.linear.square() + self._even_variance)

    def remainder(self, channel: Channel) -> float:
        """Share of the variance of a channel, over the region, that is not of the linear part."""
        rest = self._sum(channel, (self.odd - self.linear).square() + self._even_variance).sum()
        total = self.power(channel).sum()
        return float(rest / total) if float(total) > 0 else 0.0

    def joined(self, others: "Pairs") -> "Pairs":
        """These and others."""
        odd, even, linear = (
            torch.cat([getattr(self, name), getattr(others, name)]) for name in ("odd", "even", "linear")
        )
        return Pairs(odd, even, linear, self.region, self.modulus)

    @cached_property
    def _even_variance(self) -> Changes:
        """(even - its mean)^2 n / (n - 1)."""
        return (self.even - self.even.mean(0)).square() * (self.n / max(self.n - 1, 1))

    def _sum(self, channel: Channel, values: Changes) -> Float[Tensor, "pairs voxels"]:
        return values[:, list(_PARTS[channel])].sum(1).double()


def compute_pairs(point: OperatingPoint, draws: Draws, *, chunk: int, skipped: int = 0) -> Pairs:
    """Compute the pairs of some draws after the first few, with the linear part of a point."""
    against, region = point.direction.conj(), point.object
    operator = noise_jacobian(point, chunk=chunk)
    odd, even, linear = [], [], []
    for images in point.replicas(draws, chunk=chunk, skipped=skipped):
        plus, minus = (_changes(each, point.image, region) for each in images.unbind(1))
        odd.append((plus - minus) / 2)
        even.append((plus + minus) / 2)
    for white in draws.white(point.noise_shaping, point.kspace, chunk=chunk, skipped=skipped):
        tangents = operator(white)
        linear.append(_stacked(tangents, (against * tangents).real, region))
    return Pairs(torch.cat(odd), torch.cat(even), torch.cat(linear), region, against[region].abs())


def _changes(images: GridImage, image: GridImage, region: GridMask) -> Changes:
    return _stacked(images - image, images.abs() - image.abs(), region)


def _stacked(changes: GridImage, of_magnitude: Float[Tensor, "batch *grid"], region: GridMask) -> Changes:
    return torch.stack([changes.real, changes.imag, of_magnitude], 1)[..., region]
