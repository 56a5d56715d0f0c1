"""Means over samples, and the standard errors of variances: from their spread, or as pilots predict them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mri_noise.arrays import Mask, RealMap
from mri_noise.variance.calibration import ERROR_WIDTH
from mri_noise.variance.plan import Plan
from mri_noise.variance.smoothing import local_mean


@dataclass(frozen=True, slots=True)
class Sums:
    """The one accumulator of samples: sums of values and of their squares. What is not finite counts for nothing.

    Attributes
    ----------
    first, second, count : shape (*values,)
        Sums of the values and of their squares, and the number of these, in double precision.
    """

    first: Float[Tensor, "*values"]
    second: Float[Tensor, "*values"]
    count: Float[Tensor, "*values"]

    @classmethod
    def zeros(cls, *shape: int, device: torch.device) -> "Sums":
        """Nothing yet, of values of a shape."""
        zero = torch.zeros(shape, dtype=torch.float64, device=device)
        return cls(zero, zero, zero)

    def plus(self, samples: Float[Tensor, "samples *values"]) -> "Sums":
        """Take in some samples, NaN where there is none."""
        known = torch.isfinite(samples)
        held = torch.where(known, samples, 0).double()
        return Sums(self.first + held.sum(0), self.second + held.square().sum(0), self.count + known.sum(0))

    @property
    def mean(self) -> Float[Tensor, "*values"]:
        """NaN where there is no value."""
        return self.first / self.count  # 0 / 0 is NaN

    @property
    def variance_of_mean(self) -> Float[Tensor, "*values"]:
        """From the spread of the values; NaN where there are fewer than two."""
        spread = (self.second / self.count - self.mean.square()).clamp_min(0)
        return torch.where(self.count > 1, spread / (self.count - 1), torch.nan)


def pooled(values: RealMap, region: Mask) -> RealMap:
    """Averages over neighbourhoods in a region; NaN outside it."""
    return local_mean(values, region, ERROR_WIDTH)


def predicted_error(variance: RealMap, plan: Plan) -> RealMap:
    """Standard errors that pilots predict for variances from all signs of a plan; NaN where there is no variance.

    Covariances go with the root of both variances, K_ij^2 ~ V_i V_j. So the squared error of voxel i goes with
    V_i sum_j V_j over the other voxels j of its colour: the noise of loud voxels is an error in quiet ones. What it is
    on the whole, the plan says. Where adjoint products are enough errors come from near voxels alone, whose variance is
    about the same: V_i^2.
    """
    known = torch.isfinite(variance)
    local = pooled(variance.abs(), known)
    if plan.reach is not None:
        return 2 * plan.nrmse * local
    colours = plan.colours(variance).to(variance.device)
    sums = local.new_zeros(int(colours.max()) + 1).index_add(0, colours[known], local[known])
    others = sums[colours] - local
    total = others[known].sum()
    if float(total) == 0:
        return torch.where(known, 0, local)  # each voxel is probed alone
    return 2 * plan.nrmse * (local[known].sum() / total * local * others.clamp_min(0)).sqrt()


def nrmse(variance: RealMap, squared_error: RealMap, region: Mask) -> float:
    """Root mean square error of a std map over its root mean square in a region, by squared errors of the variance."""
    known, squared = variance[region].clamp_min(0), squared_error[region]
    return float(torch.where(known > 0, squared / (4 * known), 0).sum() / known.sum()) ** 0.5
