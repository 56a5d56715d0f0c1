"""Maps that a user reads, from variances: SNR, g-factor and the error of a std; NaN where a variance is not known."""

import torch

from mri_noise.arrays import Image, Mask, RealMap


def snr(image: Image, variance_magnitude: RealMap) -> RealMap:
    """Signal-to-noise ratio |x| / sigma, sigma the standard deviation of the magnitude; zero where sigma is zero.

    Kellman and McVeigh 2005, doi:10.1002/mrm.20713.
    """
    sigma = variance_magnitude.sqrt()
    return torch.where(sigma == 0, 0, image.abs() / sigma)


def std_error(variance: RealMap, standard_error: RealMap) -> RealMap:
    """Standard error of sigma, from that of the variance: SE(sigma) = SE(sigma^2) / (2 sigma); zero where sigma is."""
    sigma = variance.sqrt()
    return torch.where(sigma == 0, 0, standard_error / (2 * sigma))


def acceleration(mask: Mask) -> float:
    """Number of points of k-space over the number of sampled ones."""
    return mask.numel() / float(mask.sum())


def g_factor(variance: RealMap, full_variance: RealMap, net: float) -> RealMap:
    """g = sigma / (sigma_full sqrt(R)), from complex variances; zero where the full one is, off the coil maps.

    sigma_full is that of the optimal fully sampled combination (:func:`.closed_form.fully_sampled_variance`), R the net
    acceleration. Below 1 where a reconstruction suppresses noise.
    Pruessmann 1999, doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S.
    """
    return torch.where(full_variance > 0, variance / (full_variance * net), 0).sqrt()


def inverse_g_factor(g: RealMap) -> RealMap:
    """1 / g: the share of SNR that is kept; zero where g is zero."""
    return torch.where(g == 0, 0, 1 / g)
