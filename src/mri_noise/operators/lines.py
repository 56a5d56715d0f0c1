"""The normal equations of an encoding whose lines are independent of each other, solved line by line."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.point_spread import point_spread_matrix
from mri_noise.pickling import fields_alone

_LINES_AT_ONCE = 4
_LARGEST_INVERSES = 2**29
"""Memory that they may take [bytes]."""
_WELL_POSED = 1e-2
"""Smallest weight with which lines are inverted in the precision of the maps; the error of single precision is then
below 1e-5. Double precision takes more than twice as long."""


@final
@dataclass(frozen=True, eq=False)
class LineSolver:
    """(A^H A + lambda)^-1 where the mask varies along one axis at most.

    Along the fully sampled axis the transform cancels with its inverse, and each line across it is a system of its own:
    with P = F^H M F along the line and the maps S there, P * (S^H S) + lambda, of n x n.

    Attributes
    ----------
    coil_maps : shape (coils, lines, n)
    sampled : shape (n,)
        Where the lines are sampled.
    turned
        Whether the lines are the columns of the image; else its rows.
    """

    coil_maps: Complex[Tensor, "coils lines n"]
    sampled: Bool[Tensor, " n"]
    turned: bool

    __getstate__ = fields_alone

    def has(self, tikhonov: float) -> bool:
        """Whether :meth:`inverse` exists, and takes half a gigabyte at most."""
        _, n_lines, n = self.coil_maps.shape
        n_bytes = n_lines * n * max(n_lines, n) * self.coil_maps.element_size()
        return n_bytes <= _LARGEST_INVERSES and tikhonov > 0

    def solve(self, right_hand_side: Image, tikhonov: float) -> Image:
        """Multiply each line of each b, shape (*batch, rows, columns), with the inverse of its own system."""
        oriented = right_hand_side.mT if self.turned else right_hand_side
        lines = oriented.reshape(-1, *oriented.shape[-2:]).permute(1, 2, 0)
        solved = (self.inverse(tikhonov) @ lines).permute(2, 0, 1).reshape(oriented.shape)
        return solved.mT if self.turned else solved

    def inverse(self, tikhonov: float) -> Complex[Tensor, "lines n n"]:
        """(A^H A + lambda)^-1 as one matrix for each line, kept for the latest lambda.

        Raises
        ------
        ValueError
            If lambda is not positive.
        """
        if tikhonov not in self._kept:
            self._kept.clear()
            self._kept[tikhonov] = torch.cat(list(self.inverses(tikhonov)))
        return self._kept[tikhonov]

    def inverses(self, tikhonov: float) -> Iterator[Complex[Tensor, "some n n"]]:
        """The matrices of :meth:`inverse` for some lines at a time, not kept; raises as it does."""
        if tikhonov <= 0:
            raise ValueError(
                f"the inverse of each line needs a positive Tikhonov weight, got {tikhonov:g}; use solve_normal"
            )
        maps = self.coil_maps
        spread = self.spread.to(maps.dtype if tikhonov >= _WELL_POSED else torch.complex128)
        weight = tikhonov * torch.eye(len(spread), dtype=spread.dtype, device=spread.device)
        for lines in torch.split(maps.to(spread.dtype).permute(1, 0, 2), _LINES_AT_ONCE):
            factor = torch.linalg.cholesky(spread * (lines.mH @ lines) + weight)
            yield torch.cholesky_inverse(factor).to(maps.dtype)

    @cached_property
    def spread(self) -> Complex[Tensor, "n n"]:
        """P, in complex128."""
        return point_spread_matrix(self.sampled)

    @cached_property
    def _kept(self) -> dict[float, Tensor]:
        return {}
