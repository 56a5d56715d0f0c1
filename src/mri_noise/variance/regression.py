"""How control variates combine to follow the noise of an image, learned from samples of both."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mri_noise.arrays import Mask, RealMap

_RIDGE = 1e-4
"""Relative, on the diagonal of the normal equations: neighbours of a smooth image are all but collinear."""
_AT_ONCE = 8
"""Samples that are taken into the normal equations together."""
_VOXELS_AT_ONCE = 512


@dataclass(slots=True)
class LocalRegression:
    """Least squares of real channels on complex controls, with coefficients of their own for each voxel of a region.

    The normal equations of each voxel are summed over samples. When they are solved those of neighbouring voxels count
    too, the less the more samples there are. Memory does not grow with their number.

    Parameters
    ----------
    region
        Voxels that count.
    scale : shape (rows, columns)
        Size of the noise, by which neighbouring voxels are made alike; those of none have no say.
    """

    region: Mask
    scale: RealMap
    _weight: Float[Tensor, " voxels"] = field(init=False)
    _pending: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    _normal: Float[Tensor, "voxels coefficients coefficients"] | None = None
    _right: Float[Tensor, "voxels coefficients channels"] | None = None

    def __post_init__(self) -> None:
        scale = self.scale[self.region]
        self._weight = torch.where(scale > 0, 1 / scale, 0)

    def add(
        self, channels: Float[Tensor, "batch channels voxels"], controls: Complex[Tensor, "batch controls voxels"]
    ) -> None:
        """Take in samples of the voxels of the region."""
        weight = self._weight.to(channels)
        self._pending.append((torch.cat([controls.real, controls.imag], 1) * weight, channels * weight))
        if sum(len(x) for x, _ in self._pending) >= _AT_ONCE:
            self._take_in()

    def solve(self, *, neighbour: float) -> Complex[Tensor, "channels controls voxels"]:
        """Coefficients a, with which Re(sum_k a_k z_k) follows a channel.

        Parameters
        ----------
        neighbour
            Weight of a neighbouring voxel along an axis, where a voxel's own is one.

        Raises
        ------
        ValueError
            If there are no samples.
        """
        self._take_in()
        if self._normal is None or self._right is None:
            raise ValueError("there are no samples to learn coefficients from; add some first")
        solved = []
        for part in _neighbourhoods(self.region).split(_VOXELS_AT_ONCE):
            normal, right = (_with_neighbours(sums, part, neighbour) for sums in (self._normal, self._right))
            solved.append(_solve(normal, right))
        real, imaginary = torch.cat(solved).permute(2, 1, 0).chunk(2, dim=1)
        return torch.complex(real, -imaginary)

    def _take_in(self) -> None:
        if not self._pending:
            return
        x, y = (torch.cat(each).permute(2, 0, 1).contiguous() for each in zip(*self._pending, strict=True))
        self._pending.clear()
        if self._normal is None or self._right is None:
            self._normal, self._right = x.mT @ x, x.mT @ y
        else:
            self._normal.baddbmm_(x.mT, x)
            self._right.baddbmm_(x.mT, y)


def _solve(
    normal: Float[Tensor, "voxels coefficients coefficients"], right: Float[Tensor, "voxels coefficients channels"]
) -> Float[Tensor, "voxels coefficients channels"]:
    size = normal.diagonal(dim1=-2, dim2=-1)
    largest = size.amax(-1, keepdim=True)
    floor = torch.finfo(size.dtype).eps * torch.where(largest > 0, largest, 1)
    ridge = torch.diag_embed(_RIDGE * size + floor)
    return torch.linalg.solve(normal + ridge, right)


def _neighbourhoods(region: Mask) -> Int[Tensor, "voxels 9"]:
    """The neighbours of each voxel of a region and itself, by their numbers in it; -1 where there is none."""
    n_rows, n_columns = region.shape
    numbers = torch.full((n_rows + 2, n_columns + 2), -1, device=region.device)
    numbers[1:-1, 1:-1][region] = torch.arange(int(region.sum()), device=region.device)
    moved = [numbers[y : n_rows + y, x : n_columns + x][region] for y in range(3) for x in range(3)]
    return torch.stack(moved, dim=1)


def _with_neighbours(
    sums: Float[Tensor, "voxels *rest"], neighbours: Int[Tensor, "some 9"], weight: float
) -> Float[Tensor, "some *rest"]:
    """Sums over some voxels and their neighbours along both axes, diagonal ones with the weight squared."""
    found = torch.zeros_like(sums[: len(neighbours)])
    for number, beside in enumerate(neighbours.T):
        distance = abs(number // 3 - 1) + abs(number % 3 - 1)
        inside = (beside >= 0).nonzero().flatten()
        found.index_add_(0, inside, sums[beside[inside]], alpha=weight**distance)
    return found
