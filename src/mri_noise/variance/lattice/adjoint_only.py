"""Noise of networks of the zero-filled image, by adjoint products alone.

For x = U(A^H y) the magnitude of voxel i has the variance V_i = Re<h_i, C h_i> / 2 with its kernel h_i = U'^T w_i,
where w_i = exp(i phi_i) e_i, and the known covariance C = A^H Psi A of the zero-filled image; i w_i gives the variance
across the phase. U is local: h_i lies around its voxel. So the adjoint product of a probe shows the kernels of all its
voxels side by side, and no forward product is needed to tell them apart; C between voxels far from each other, which
aliasing makes, plays no part and is left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from mri_noise.arrays import Image, Mask
from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.lattice.bundles import Spacing, summed_voxels
from mri_noise.variance.lattice.directions import random_signs
from mri_noise.variance.lattice.probes import BothProducts, Probed, occupied
from mri_noise.variance.linearise.point import OperatingPoint
from mri_noise.variance.linearise.zero_filled import ImageDomain
from mri_noise.variance.plan import Plan
from mri_noise.variance.rows import weighted_voxels

_FAR = 12
"""Covariances of the zero-filled image that make up a variance: further ones are of voxels that no kernel holds."""
_UNCOUPLED = Spacing(apart=0, distance=28, most=1000)
"""Of voxels whose kernels these covariances do not couple."""


@dataclass(frozen=True, eq=False)
class Kernels:
    """How the voxels of a bundle depend on the zero-filled image, to first order.

    Attributes
    ----------
    voxels : shape (voxels, 2)
        As (row, column), far apart.
    product : shape (directions, rows, columns)
        The sum of their kernels h_i with random signs, along each direction in the complex plane that was asked for.
    owner : shape (rows, columns)
        The voxel of the bundle that each voxel of the image is nearest to, as its index in the flattened image.
    variance : shape (directions, voxels), in the image's units squared
        V_i, but for what lies beyond the borders between the voxels.
    """

    voxels: Int[Tensor, "voxels 2"]
    product: Complex[Tensor, "directions rows columns"]
    owner: Int[Tensor, "rows columns"]
    variance: Float[Tensor, "directions voxels"]

    @property
    def n_evaluations(self) -> int:
        """Adjoint products that they took."""
        return len(self.product)

    def windows(self, images: Complex[Tensor, "directions rows columns"], width: int) -> NDArray[np.complexfloating]:
        """Cut out what lies at most so far from each voxel and nearer to it than to the others; zero elsewhere.

        The windows have the shape (directions, voxels, 2 width + 1, 2 width + 1).
        """
        size = 2 * width + 1
        padded = torch.nn.functional.pad(images, (width,) * 4)
        owner = torch.nn.functional.pad(self.owner, (width,) * 4, value=-1)
        parts = []
        for y, x in self.voxels.tolist():
            window = slice(y, y + size), slice(x, x + size)
            parts.append(padded[:, *window] * (owner[window] == y * self.owner.shape[1] + x))
        return torch.stack(parts, dim=1).cpu().numpy()


@dataclass(frozen=True, eq=False)
class AdjointProducts:
    """Probes a reconstruction of the zero-filled image: one adjoint product a probe.

    Attributes
    ----------
    domain
    derivative
        U', from the zero-filled to the final image.
    chunk
        Probes computed at once.
    """

    n_evaluations: ClassVar[int] = 1
    domain: ImageDomain
    derivative: LinearOperator
    chunk: int

    @classmethod
    def of(cls, point: OperatingPoint, domain: ImageDomain, *, chunk: int) -> "AdjointProducts":
        """Linearise a reconstruction of the zero-filled image."""
        return cls(domain, point.image_jacobian(domain).in_chunks(chunk), chunk)

    def variances(self, directions: Image, voxels: Int[Tensor, "voxels 2"]) -> Float[Tensor, "directions voxels"]:
        """Compute V_i of some voxels along some directions, exactly: an adjoint product each, in the units squared."""
        kernels = torch.stack([self.derivative.adjoint(weighted_voxels(each, voxels)) for each in directions])
        return self._energy(kernels, None).sum((-2, -1))

    def kernels(
        self, directions: Image, bundles: Sequence[Int[Tensor, "_ 2"]], generator: torch.Generator
    ) -> list[Kernels]:
        """Compute the kernels of bundles of voxels: one adjoint product for each direction of each bundle.

        Directions are numbers of unit modulus, shape (directions, rows, columns): exp(i phi) for the magnitude.
        """
        probes = torch.stack([self._probe(directions, voxels, generator) for voxels in bundles])
        products = self.derivative.adjoint(probes.flatten(0, 1)).unflatten(0, probes.shape[:2])
        return [self._kernels(voxels, product) for voxels, product in zip(bundles, products, strict=True)]

    def _probe(self, directions: Image, voxels: Int[Tensor, "_ 2"], generator: torch.Generator) -> Image:
        signs = random_signs((len(voxels),), generator)
        return torch.stack([summed_voxels(direction, voxels, signs) for direction in directions])

    def _kernels(self, voxels: Int[Tensor, "_ 2"], product: Image) -> Kernels:
        rows, columns = voxels.T
        chosen = torch.zeros(product.shape[-2:], dtype=torch.bool)
        chosen[rows, columns] = True
        owner = owners(chosen).to(product.device)
        width = torch.tensor([product.shape[-1], 1])
        groups = [(group @ width).to(owner) for group in _UNCOUPLED.bundles(voxels, period=product.shape[-2:])]
        parts = torch.stack([product * torch.isin(owner, group) for group in groups], dim=1)
        energies = self._energy(parts, _FAR).sum(1)
        variance = torch.stack([gathered(energy, owner)[rows, columns] for energy in energies])
        return Kernels(voxels, product, owner, variance.clamp_min(0))

    def __call__(self, probe: Image, colours: Int[Tensor, "rows columns"], plan: Plan) -> Iterator[Probed]:
        """Apply U'^T to a probe, one colour after the other, and give each voxel the energy around it."""
        region = probe != 0
        product = torch.full_like(probe, torch.nan)
        n_probes = 0
        for batch in torch.split(occupied(colours, region), self.chunk):
            parts = (colours == batch[:, None, None]).to(probe.device) & region
            energies = self._energy(self.derivative.adjoint(parts * probe), plan.reach)
            for part, energy in zip(parts, energies, strict=True):
                product = torch.where(part, gathered(energy, owners(part).to(energy.device)).to(product), product)
            n_probes += len(batch)
            yield Probed(product, n_probes)

    def _energy(self, kernels: Image, reach: int | None) -> Float[Tensor, "*batch rows columns"]:
        return (kernels.conj() * self.domain.covariance(kernels, reach)).real.double() / 2


Products = BothProducts | AdjointProducts
"""What a probe of one colour goes through."""


def owners(voxels: Mask) -> Int[Tensor, "rows columns"]:
    """Of some voxels the nearest to each voxel, as its index in the flattened image, on the CPU."""
    _, (rows, columns) = ndimage.distance_transform_edt(~voxels.cpu().numpy(), return_indices=True)
    return torch.from_numpy(rows * voxels.shape[1] + columns).long()


def gathered(
    energy: Float[Tensor, "rows columns"], owner: Int[Tensor, "rows columns"]
) -> Float[Tensor, "rows columns"]:
    """Give the owner of each voxel its energy; zero to those that own none."""
    return torch.zeros_like(energy).flatten().index_add_(0, owner.flatten(), energy.flatten()).reshape(energy.shape)
