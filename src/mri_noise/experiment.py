"""Every choice of one analysis."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mri_noise.acquisition.coils import CoilMapping, Espirit
from mri_noise.acquisition.masks import AsAcquired, Undersampling
from mri_noise.acquisition.noise_sources import MeasuredNoise, NoiseSource
from mri_noise.recon.linear import CGSense
from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.roi import ObjectThreshold, Roi
from mri_noise.settings import Origin, Settings, read_yaml
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise.precision import Arithmetic
from mri_noise.variance.method import VarianceMethod


class Experiment(Settings):
    """What is done to a scan, from its k-space to the noise of its image.

    A saved result contains its experiment, and the same experiment on the same scan gives the same numbers.
    """

    undersampling: Undersampling = Field(
        AsAcquired(), title="mask", description="Which of the acquired samples are kept"
    )
    noise: NoiseSource = Field(
        MeasuredNoise(), title="noise level", description="Where the coil noise covariance comes from"
    )
    noise_scale: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Factor on the noise level: what a scanner with more or less noise would show"
    )
    added_noise: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Noise added to the data, in multiples of their noise level; it counts in the variance"
    )
    prewhiten: bool = Field(True, description="Decorrelate the coils before anything else")
    coils: CoilMapping = Field(Espirit(), title="coil maps", description="Where the coil sensitivity maps come from")
    reconstruction: Reconstruction = Field(CGSense(), title="model", description="From k-space to image")
    variance: VarianceMethod = Field(
        LatticeProbing(), title="method", description="How the noise variance of the image is computed"
    )
    linearity: LinearityCheck = Field(
        LinearityCheck(), description="Whether a map that is computed from the derivative holds for noise of this size"
    )
    object: ObjectThreshold = Field(
        ObjectThreshold(), title="object mask", description="Where noise maps are compared and summarised"
    )
    rois: tuple[Roi, ...] = Field((), description="Regions whose mean gets its exact error bar")
    precision: Literal["complex64", "complex128"] = Field("complex64", description="Arithmetic of everything")
    tangents: Arithmetic = Field(
        "auto", description="Derivatives of networks; auto: in bfloat16 where that is quicker and off by at most 1 %"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    seed: Annotated[int, Field(ge=0)] = Field(
        0, description="Seed of every random number that is not a mask's or a weight's"
    )


def read_experiment(path: Path) -> Experiment:
    """Read an experiment from a YAML file; code that it names is not trusted.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a setting does not exist or does not fit.
    """
    return Experiment.parse(read_yaml(path), Origin(is_file=True))
