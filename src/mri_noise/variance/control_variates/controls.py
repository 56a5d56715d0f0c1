"""Linear images of the noise of a scan, whose covariance is known: control variates for that of a network."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mri_noise.acquisition.noise import NoiseShaping
from mri_noise.arrays import Image, KSpace, RealMap
from mri_noise.operators.encoding import Encoding
from mri_noise.variance.calibration import CONTROL_REACH, CONTROL_TIKHONOV
from mri_noise.variance.control_variates.compact import packed, packed_dtype, picked, unpacked

_NEIGHBOURS = tuple(
    (y, x)
    for y in range(-CONTROL_REACH, CONTROL_REACH + 1)
    for x in range(-CONTROL_REACH, CONTROL_REACH + 1)
    if abs(y) + abs(x) <= CONTROL_REACH
)
N_CONTROLS = len(_NEIGHBOURS) + 1
_LINES_AT_ONCE = 16
_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Controls:
    """The SENSE image around each voxel, and the zero-filled image there: linear in the noise, cheap, and understood.

    Networks that keep to the data and filter nearby voxels follow them closely. Where a mask varies along one axis,
    the lines across it are systems of their own: the SENSE image is x = H b with b = A^H n and one matrix
    H = (A^H A + lambda)^-1 for each line, and with K the covariance of b there, those of x with x and with b are
    H K H^H and H K. Voxels of different lines are uncorrelated.

    Attributes
    ----------
    encoding
        A; its lines are along the last axis or, if ``turned``, along the first.
    noise_shaping
        L, from white noise to that of k-space.
    turned
    filters
        H, :func:`packed`; rounded before its covariances are computed, which are therefore those of what is used.
    sense : shape (9, lines, n)
        Covariance of the SENSE image at (line, i) with that at (line, i + d), d from -4 to 4.
    cross : shape (5, lines, n)
        Covariance of the SENSE image at (line, i) with the zero-filled one at (line, i + d), d from -2 to 2.
    zero_filled_variance : shape (lines, n)
    """

    encoding: Encoding
    noise_shaping: NoiseShaping
    turned: bool
    filters: Float[Tensor, "lines n n 2"]
    sense: Complex[Tensor, "9 lines n"]
    cross: Complex[Tensor, "5 lines n"]
    zero_filled_variance: Float[Tensor, "lines n"]

    @classmethod
    def of(cls, encoding: Encoding, noise_shaping: NoiseShaping) -> "Controls | None":
        """Make those of an encoding; None where its lines depend on each other, or are too long."""
        solver, tikhonov = encoding.lines, CONTROL_TIKHONOV * float(encoding.coil_power.max())
        if solver is None or not solver.has(tikhonov):
            return None
        maps = solver.coil_maps
        covariance = noise_shaping.factor @ noise_shaping.factor.mH
        spread = solver.spread.to(maps.dtype)
        _, n_lines, n = maps.shape
        found = cls(
            encoding,
            noise_shaping,
            solver.turned,
            filters=maps.new_empty(n_lines, n, n, 2, dtype=packed_dtype(maps.dtype)),
            sense=maps.new_empty(4 * CONTROL_REACH + 1, n_lines, n),
            cross=maps.new_empty(2 * CONTROL_REACH + 1, n_lines, n),
            zero_filled_variance=maps.real.new_empty(n_lines, n),
        )
        first = 0
        for inverse in solver.inverses(tikhonov):
            some = slice(first, first + len(inverse))
            first += len(inverse)
            found.filters[some] = packed(inverse)
            filter_, lines = unpacked(found.filters[some], maps.dtype), maps[:, some].permute(1, 0, 2)
            of_zero_filled = spread * (lines.mH @ (covariance @ lines))
            cross = filter_ @ of_zero_filled
            found.sense[:, some] = _band(cross @ filter_.mH, 2 * CONTROL_REACH)
            found.cross[:, some] = _band(cross, CONTROL_REACH)
            found.zero_filled_variance[some] = of_zero_filled.diagonal(dim1=-2, dim2=-1).real
        return found

    @property
    def deviation(self) -> RealMap:
        """Standard deviation of the SENSE image, shape (rows, columns); zero off the coil maps."""
        own = self.sense[2 * CONTROL_REACH].real.clamp_min(0).sqrt()
        return own.mT if self.turned else own

    def zero_filled(self, white: KSpace) -> Image:
        """A^H L w, shape (*batch, coils, rows, columns) -> (*batch, rows, columns)."""
        return self.encoding.adjoint(self.noise_shaping(white))

    def sense_image(self, zero_filled: Image) -> Image:
        """H b, shape (*batch, rows, columns)."""
        oriented = zero_filled.mT if self.turned else zero_filled
        lines = oriented.reshape(-1, *oriented.shape[-2:]).permute(1, 2, 0)
        pairs = zip(self.filters.split(_LINES_AT_ONCE), lines.split(_LINES_AT_ONCE), strict=True)
        filtered = torch.cat([unpacked(each, lines.dtype) @ some for each, some in pairs])
        found = filtered.permute(2, 0, 1).reshape(oriented.shape)
        return found.mT if self.turned else found

    def beside(
        self, sense_image: Float[Tensor, "*batch rows columns 2"], voxels: Int[Tensor, "voxels 2"]
    ) -> Complex[Tensor, "*batch neighbours voxels"]:
        """A :func:`packed` SENSE image around some voxels, given as (row, column); zero outside the image."""
        n_rows, n_columns = sense_image.shape[-3:-1]
        moves = [each[::-1] if self.turned else each for each in _NEIGHBOURS]
        y, x = (voxels.to(sense_image.device) + torch.tensor(moves, device=sense_image.device)[:, None]).unbind(-1)
        inside = (y >= 0) & (y < n_rows) & (x >= 0) & (x < n_columns)
        places = y.clamp(0, n_rows - 1) * n_columns + x.clamp(0, n_columns - 1)
        found = picked(sense_image.flatten(-3, -2), places.flatten(), self.sense.dtype)
        return found.unflatten(-1, places.shape) * inside

    def covariance(self, voxels: Int[Tensor, "voxels 2"]) -> Complex[Tensor, "voxels controls controls"]:
        """Of the controls z of some voxels, given as (row, column): E[z z^H]."""
        y, x = (voxels.flip(1) if self.turned else voxels).to(self.sense.device).T
        found = self.sense.new_zeros(len(voxels), N_CONTROLS, N_CONTROLS)
        for one, (dy, dx) in enumerate(_NEIGHBOURS):
            for other, (ey, ex) in enumerate(_NEIGHBOURS):
                if dy == ey:
                    inside = self._inside(y + ey, x + ex)
                    found[:, one, other] = self._at(self.sense[2 * CONTROL_REACH + ex - dx], y + dy, x + dx) * inside
            if dy == 0:
                found[:, one, -1] = self._at(self.cross[CONTROL_REACH - dx], y, x + dx)
                found[:, -1, one] = found[:, one, -1].conj()
        found[:, -1, -1] = self.zero_filled_variance[y, x].to(found.dtype)
        return found

    def explained(self, zero_filled: Image, voxels: Int[Tensor, "voxels 2"]) -> Float[Tensor, " voxels"]:
        """What the controls of some voxels k explain of the variances of read-outs Re <B^T w_k, v>, on the CPU.

        Parameters
        ----------
        zero_filled : shape (rows, columns)
            A^H L of the sum of B^T w_k, the voxels so far apart that the controls of one see nothing of the others.
        """
        y, x = voxels.to(zero_filled.device).T
        around = self.beside(torch.view_as_real(self.sense_image(zero_filled)), voxels)
        shared = torch.cat([around, zero_filled[None, y, x]]).mT.to(torch.complex128) / 2
        covariance = self.covariance(voxels).to(torch.complex128)
        size = (
            covariance.diagonal(dim1=-2, dim2=-1).real.amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
        )
        ridge = torch.diag_embed((_RIDGE * size).expand_as(shared))
        solved = torch.linalg.solve(covariance + ridge, shared.unsqueeze(-1))[..., 0]
        return 2 * (shared.conj() * solved).sum(-1).real.cpu()

    def _inside(self, y: Tensor, x: Tensor) -> Tensor:
        n_lines, n = self.zero_filled_variance.shape
        return (y >= 0) & (y < n_lines) & (x >= 0) & (x < n)

    def _at(self, values: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Values at some places, zero outside the image."""
        n_lines, n = values.shape
        return values[y.clamp(0, n_lines - 1), x.clamp(0, n - 1)] * self._inside(y, x)


def _band(matrices: Complex[Tensor, "lines n n"], width: int) -> Complex[Tensor, "d lines n"]:
    """The entries (i, i + d) of each matrix, d from -width to width; zero where i + d is none of its columns."""
    n = matrices.shape[-1]
    band = matrices.new_zeros(2 * width + 1, len(matrices), n)
    for d in range(max(-width, 1 - n), min(width, n - 1) + 1):
        entries = matrices.diagonal(offset=d, dim1=-2, dim2=-1)
        band[width + d, :, max(-d, 0) : n - max(d, 0)] = entries
    return band
