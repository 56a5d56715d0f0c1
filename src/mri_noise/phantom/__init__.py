"""A simulated brain scan, made of an anatomy, a coil array and receiver noise."""

from mri_noise.phantom.anatomy import anatomy, object_phase
from mri_noise.phantom.receivers import CoilArray, coil_sensitivities, head_array, noise_covariance
from mri_noise.phantom.simulation import Phantom

__all__ = [
    "CoilArray",
    "Phantom",
    "anatomy",
    "coil_sensitivities",
    "head_array",
    "noise_covariance",
    "object_phase",
]
