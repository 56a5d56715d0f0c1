"""Linear reconstructions."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import GridImage, Samples
from mri_noise.operators.encoding import Encoding
from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.recon.solvers.solve import solve_normal


class ZeroFilled(Reconstruction):
    """The zero-filled image: coil images combined by their sensitivities."""

    title: ClassVar[str] = "zero-filled"

    kind: Literal["zero-filled"] = "zero-filled"

    def __call__(self) -> "ZeroFilledReconstructor":
        """Return the reconstruction."""
        return ZeroFilledReconstructor(self)


class CGSense(Reconstruction):
    """Regularised least squares with coil sensitivities, for any mask."""

    title: ClassVar[str] = "CG-SENSE"

    kind: Literal["cg-sense"] = "cg-sense"
    tikhonov: float = Field(1e-2, ge=0, description="Weight of |x|^2, relative to the largest sum of squares of maps")
    tolerance: float | None = Field(None, gt=0, lt=1, description="Relative residual; none: what the precision reaches")
    max_iterations: int = Field(
        200, title="iterations", ge=1, description="Largest number of conjugate gradient iterations"
    )

    def __call__(self) -> "CGSenseReconstructor":
        """Return the reconstruction."""
        return CGSenseReconstructor(self)


@dataclass(frozen=True, slots=True)
class ZeroFilledReconstructor:
    """x = A^H y / sum_c |S_c|^2, and zero where no coil is sensitive."""

    replayable: ClassVar[bool] = True
    settings: ZeroFilled

    def __call__(self, kspace: Samples, encoding: Encoding) -> GridImage:
        """Reconstruct k-space of any leading axes, each independently."""
        power = encoding.coil_power
        return encoding.adjoint(kspace) * torch.where(power > 0, 1 / power, 0)


@dataclass(frozen=True, slots=True)
class CGSenseReconstructor:
    """x = (A^H A + lambda)^-1 A^H y, and zero where no coil is sensitive.

    Source: Pruessmann 2001, doi:10.1002/mrm.1241.
    """

    replayable: ClassVar[bool] = True
    settings: CGSense

    def __call__(self, kspace: Samples, encoding: Encoding) -> GridImage:
        """Reconstruct k-space of any leading axes, each independently."""
        solution = solve_normal(
            encoding,
            encoding.adjoint(kspace),
            self.weight(encoding),
            tolerance=self.settings.tolerance,
            max_iterations=self.settings.max_iterations,
        )
        return solution.image * (encoding.coil_power > 0)

    def weight(self, encoding: Encoding) -> Tensor:
        """Return lambda, in the units of A^H A."""
        return self.settings.tikhonov * encoding.coil_power.max()
