"""Standard errors of variances that a lattice was probed for."""

import torch

from mri_noise.arrays import Mask, RealMap
from mri_noise.variance.plan import Plan
from mri_noise.variance.smoothing import local_mean

_WIDTH = 2.0
"""Of a neighbourhood, in voxels: the error of a voxel comes from other voxels, so that neighbours tell it too."""


def pooled(values: RealMap, region: Mask) -> RealMap:
    """Averages over neighbourhoods in a region; NaN outside it."""
    return local_mean(values, region, _WIDTH)


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
