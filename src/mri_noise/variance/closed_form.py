"""Closed forms of the noise of linear SENSE, for masks along the columns."""

import torch
from jaxtyping import Bool
from torch import Tensor

from mri_noise.acquisition.noise import Noise
from mri_noise.arrays import CoilCovariance, CoilMaps, Mask, RealMap
from mri_noise.operators.point_spread import point_spread_matrix, undersampled_axes


def fully_sampled_variance(coil_maps: CoilMaps, noise: Noise) -> RealMap:
    """Complex noise variance of the optimal combination of fully sampled coils: 1 / (S^H Psi^-1 S); zero off the maps.

    Roemer 1990, doi:10.1002/mrm.1910160203. With an estimate of Psi from n samples of p coils the expectation of that
    is (n - p + 1) / n of what it should be (Goodman 1963, doi:10.1214/aoms/1177704250), which is divided out.
    """
    power = _whiten(coil_maps, noise.covariance).abs().square().sum(0)
    n, n_coils = noise.n_samples, len(coil_maps)
    kept = 1.0 if n is None else (n - n_coils + 1) / n
    return torch.where(power > 0, 1 / (kept * power), 0)


def sense_variance(coil_maps: CoilMaps, covariance: CoilCovariance, mask: Mask) -> RealMap:
    """Complex noise variance of optimal unregularised SENSE with an equispaced mask: R diag((S^H Psi^-1 S)^-1).

    The R voxels that alias onto each other are a system of their own (Pruessmann 1999,
    doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S). An exact answer to test methods with; nothing
    in the package asks for it.

    Raises
    ------
    ValueError
        If the mask is not every R-th column with R a divisor of the number of columns.
    """
    acceleration = _equispaced_acceleration(mask)
    maps = _whiten(coil_maps, covariance).unflatten(2, (acceleration, -1)).permute(1, 3, 0, 2)
    support = maps.abs().sum(-2) > 0
    inverse = torch.linalg.inv(maps.mH @ maps + torch.diag_embed((~support).double()))
    variance = acceleration * inverse.diagonal(dim1=-2, dim2=-1).real * support
    return variance.permute(0, 2, 1).flatten(1)


def tikhonov_sense_variance(coil_maps: CoilMaps, covariance: CoilCovariance, mask: Mask, tikhonov: float) -> RealMap:
    """Complex noise variance of (A^H A + lambda)^-1 A^H y with any mask along the columns, by dense algebra.

    Each row of the image is a system of its own, since the readout is fully sampled. With G = F^H M F:
    H = G * (S^H S) + lambda, K = G * (S^H Psi S), variance = diag(H^-1 K H^-1).

    Raises
    ------
    ValueError
        If the mask varies along the rows.
    """
    spread = point_spread_matrix(_lines(mask))
    identity = torch.eye(mask.shape[1], dtype=torch.complex128)
    maps = coil_maps.to(torch.complex128).permute(1, 0, 2)
    support = maps.abs().sum(1) > 0
    normal = spread * (maps.mH @ maps) + tikhonov * identity + torch.diag_embed((~support).double())
    noise = spread * (maps.mH @ covariance.to(torch.complex128) @ maps)
    inverse = torch.linalg.inv(normal)
    return (inverse @ noise @ inverse).diagonal(dim1=-2, dim2=-1).real


def _whiten(coil_maps: CoilMaps, covariance: CoilCovariance) -> CoilMaps:
    """L^-1 S with L L^H = Psi."""
    factor = torch.linalg.cholesky(covariance.to(torch.complex128))
    flat = coil_maps.to(torch.complex128).flatten(1)
    return torch.linalg.solve_triangular(factor, flat, upper=False).view(coil_maps.shape)


def _lines(mask: Mask) -> Bool[Tensor, " columns"]:
    if -2 in undersampled_axes(mask):
        raise ValueError("closed-form SENSE needs a mask along the columns, but this one varies along the rows too")
    return mask[0]


def _equispaced_acceleration(mask: Mask) -> int:
    lines = torch.nonzero(_lines(mask)).flatten()
    n_columns = mask.shape[1]
    steps = torch.diff(lines, append=lines[:1] + n_columns).unique()
    if len(steps) != 1 or n_columns % int(steps[0]):
        raise ValueError(
            "closed-form SENSE needs every R-th column and no calibration lines, with R a divisor of "
            f"{n_columns} columns, got steps of {steps.tolist()}; use tikhonov_sense_variance"
        )
    return int(steps[0])
