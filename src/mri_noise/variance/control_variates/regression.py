"""How control variates combine to follow the noise of an image, learned from samples of both."""

from collections.abc import Callable

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mri_noise.arrays import Mask, RealMap
from mri_noise.variance.calibration import COEFFICIENT_RIDGE

_TILE = 8
_VOXELS_AT_ONCE = _TILE**2


def local_coefficients(
    channels: Float[Tensor, "samples channels voxels"],
    controls_of: Callable[[Int[Tensor, " some"]], Complex[Tensor, "samples controls some"]],
    region: Mask,
    scale: RealMap,
    *,
    neighbour: float,
) -> Complex[Tensor, "channels controls voxels"]:
    """Least squares of real channels on complex controls: coefficients a, with which Re(sum_k a_k z_k) follows each.

    Each voxel of a region has its own, learned from the samples of its neighbours too. The normal equations are made
    for a few voxels at a time.

    Parameters
    ----------
    channels
        Noise of the voxels of the region, one or more samples.
    controls_of
        The same samples of the controls of some voxels, given by their numbers in the region.
    region
    scale : shape (rows, columns)
        Size of the noise, by which neighbouring voxels are made alike; those of none have no say.
    neighbour
        Weight of a neighbouring voxel along an axis, where a voxel's own is one.
    """
    size = scale[region]
    weight = torch.where(size > 0, 1 / size, 0)
    found: Tensor | None = None
    order, neighbourhoods = _tile_by_tile(region), _neighbourhoods(region)
    for own in order.split(_VOXELS_AT_ONCE):
        numbers, places = neighbourhoods[own].unique(return_inverse=True)
        members = numbers.clamp_min(0)
        weights = torch.where(numbers < 0, 0, weight[members])
        controls = controls_of(members)
        x = (torch.cat([controls.real, controls.imag], 1) * weights).permute(2, 0, 1).contiguous()
        y = (channels.index_select(-1, members).to(x) * weights).permute(2, 0, 1)
        solved = _solve(*(_with_neighbours(sums, places, neighbour) for sums in (x.mT @ x, x.mT @ y)))
        if found is None:  # whole at once: among what is freed, parts would leave it in pieces
            found = solved.new_empty(len(size), *solved.shape[1:])
        found[own] = solved
    assert found is not None
    real, imaginary = found.permute(2, 1, 0).chunk(2, dim=1)
    return torch.complex(real, -imaginary)


def _tile_by_tile(region: Mask) -> Int[Tensor, " voxels"]:
    """The voxels of a region, by their numbers in it, in an order in which few others are beside some of them."""
    rows, columns = region.nonzero().T
    tiles = (rows // _TILE) * (region.shape[1] // _TILE + 1) + columns // _TILE
    return tiles.argsort(stable=True)


def _solve(
    normal: Float[Tensor, "voxels coefficients coefficients"], right: Float[Tensor, "voxels coefficients channels"]
) -> Float[Tensor, "voxels coefficients channels"]:
    size = normal.diagonal(dim1=-2, dim2=-1)
    largest = size.amax(-1, keepdim=True)
    floor = torch.finfo(size.dtype).eps * torch.where(largest > 0, largest, 1)
    ridge = torch.diag_embed(COEFFICIENT_RIDGE * size + floor)
    return torch.cholesky_solve(right, torch.linalg.cholesky(normal + ridge))


def _neighbourhoods(region: Mask) -> Int[Tensor, "voxels 9"]:
    """The neighbours of each voxel of a region and itself, by their numbers in it; -1 where there is none."""
    n_rows, n_columns = region.shape
    numbers = torch.full((n_rows + 2, n_columns + 2), -1, device=region.device)
    numbers[1:-1, 1:-1][region] = torch.arange(int(region.sum()), device=region.device)
    moved = [numbers[y : n_rows + y, x : n_columns + x][region] for y in range(3) for x in range(3)]
    return torch.stack(moved, dim=1)


def _with_neighbours(
    sums: Float[Tensor, "members *rest"], places: Int[Tensor, "some 9"], weight: float
) -> Float[Tensor, "some *rest"]:
    """Sums over some voxels and their neighbours along both axes, diagonal ones with the weight squared."""
    found = torch.zeros_like(sums[: len(places)])
    for number, beside in enumerate(places.T):
        found.add_(sums[beside], alpha=weight ** (abs(number // 3 - 1) + abs(number % 3 - 1)))
    return found
