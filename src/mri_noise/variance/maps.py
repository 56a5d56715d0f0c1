"""Maps that a user reads, from variances: SNR and g-factor."""

import torch

from mri_noise.arrays import CoilCovariance, CoilMaps, Image, Mask, RealMap
from mri_noise.variance.closed_form import fully_sampled_variance


def snr(image: Image, variance_magnitude: RealMap) -> RealMap:
    """Signal-to-noise ratio |x| / sigma, sigma the standard deviation of the magnitude; zero where sigma is zero.

    Kellman and McVeigh 2005, doi:10.1002/mrm.20713.
    """
    sigma = variance_magnitude.sqrt()
    return torch.where(sigma > 0, image.abs() / sigma, 0)


def acceleration(mask: Mask) -> float:
    """Number of points of k-space over the number of sampled ones."""
    return mask.numel() / float(mask.sum())


def g_factor(variance: RealMap, coil_maps: CoilMaps, covariance: CoilCovariance, mask: Mask) -> RealMap:
    """g = sigma / (sigma_full sqrt(R)), from the complex variance of a reconstruction; zero off the coil maps.

    sigma_full is that of the optimal fully sampled combination, R the net acceleration. Below 1 where a
    reconstruction suppresses noise. Pruessmann 1999, doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S.
    """
    return g_factor_of_voxels(variance, coil_maps, covariance, acceleration(mask))


def g_factor_of_voxels(variance: RealMap, coil_maps: CoilMaps, covariance: CoilCovariance, net: float) -> RealMap:
    """The g-factor of some voxels, of an image or cut out of one, at a net acceleration."""
    full = fully_sampled_variance(coil_maps, covariance)
    return torch.where(full > 0, variance / (full * net), 0).sqrt()


def inverse_g_factor(g: RealMap) -> RealMap:
    """1 / g: the share of SNR that is kept; zero where g is zero."""
    return torch.where(g > 0, 1 / g, 0)
