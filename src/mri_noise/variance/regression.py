"""How control variates combine to follow the noise of an image, learned from samples of both."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from mri_noise.arrays import Mask, RealMap

_RIDGE = 1e-4
"""Relative, on the diagonal of the normal equations: neighbours of a smooth image are all but collinear."""
_AT_ONCE = 16
"""Samples that are taken into the normal equations together."""
_VOXELS_AT_ONCE = 2048


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
        self,
        channels: Float[Tensor, "batch channels rows columns"],
        controls: Complex[Tensor, "batch controls rows columns"],
    ) -> None:
        """Take in samples."""
        weight, held = self._weight.to(channels), controls[..., self.region]
        self._pending.append((torch.cat([held.real, held.imag], 1) * weight, channels[..., self.region] * weight))
        if sum(len(x) for x, _ in self._pending) >= _AT_ONCE:
            self._take_in()

    def solve(self, *, neighbour: float) -> Complex[Tensor, "channels controls rows columns"]:
        """Coefficients a, with which Re(sum_k a_k z_k) follows a channel; zero outside the region.

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
        normal, right = (_with_neighbours(sums, self.region, neighbour) for sums in (self._normal, self._right))
        solved = torch.cat(
            [_solve(*each) for each in zip(normal.split(_VOXELS_AT_ONCE), right.split(_VOXELS_AT_ONCE), strict=True)]
        )
        real, imaginary = solved.permute(2, 1, 0).chunk(2, dim=1)
        found = torch.zeros(*real.shape[:2], *self.region.shape, dtype=real.dtype.to_complex(), device=real.device)
        found[..., self.region] = torch.complex(real, -imaginary)
        return found

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
    largest = size.amax(-1, keepdim=True).clamp_min(torch.finfo(size.dtype).tiny)
    ridge = torch.diag_embed(_RIDGE * size + torch.finfo(size.dtype).eps * largest)
    return torch.linalg.solve(normal + ridge, right)


def _with_neighbours(sums: Float[Tensor, "voxels *rest"], region: Mask, weight: float) -> Float[Tensor, "voxels *rest"]:
    """Sums over voxels of a region and their neighbours along both axes, diagonal ones with the weight squared."""
    n_rows, n_columns = region.shape
    places = torch.full((n_rows + 2, n_columns + 2), len(sums), device=sums.device)
    places[1:-1, 1:-1][region] = torch.arange(len(sums), device=sums.device)
    found = torch.zeros_like(sums)
    for y in (-1, 0, 1):
        for x in (-1, 0, 1):
            beside = places[1 + y : n_rows + 1 + y, 1 + x : n_columns + 1 + x][region]
            inside = (beside < len(sums)).nonzero().flatten()
            found.index_add_(0, inside, sums[beside[inside]], alpha=weight ** (abs(y) + abs(x)))
    return found
