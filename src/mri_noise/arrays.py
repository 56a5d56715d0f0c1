"""Named, shape-checked array types.

The shapes are checked at run time in the test suite (jaxtyping with beartype) and are plain tensors elsewhere.
Axes: ``rows`` and ``columns`` are the last two axes of a scan's k-space. In a 2-D acquisition the columns are
the phase-encode axis and the rows the readout; a slice of a 3-D acquisition has two phase-encode axes.
``*batch`` stands for any number of leading axes: noise realisations or probes. ``Grid...`` are the same on a grid of
any number of spatial axes, and ``Samples`` the k-space of any encoding.
"""

from typing import TypeAlias

from jaxtyping import Bool, Complex, Float
from torch import Tensor

Image: TypeAlias = Complex[Tensor, "*batch rows columns"]
"""Complex image."""

KSpace: TypeAlias = Complex[Tensor, "*batch coils rows columns"]
"""Multi-coil k-space, zero where not sampled; centred, orthonormal Fourier convention."""

CalibrationKSpace: TypeAlias = Complex[Tensor, "coils calibration_rows calibration_columns"]
"""The fully sampled centre of multi-coil k-space, by itself."""

CoilMaps: TypeAlias = Complex[Tensor, "coils rows columns"]
"""Coil sensitivity maps; zero where unknown."""

Mask: TypeAlias = Bool[Tensor, "rows columns"]
"""True at the sampled points of k-space, or inside a region of the image."""

RealMap: TypeAlias = Float[Tensor, "rows columns"]
"""A real map over the image: a variance, a standard deviation, an SNR."""

GridImage: TypeAlias = Complex[Tensor, "..."]
"""Complex image of any number of spatial axes, after any leading ones."""

GridMask: TypeAlias = Bool[Tensor, "*grid"]
"""True inside a region of such an image, or where samples of k-space were measured."""

GridMap: TypeAlias = Float[Tensor, "*grid"]
"""A real map over such an image."""

Samples: TypeAlias = Complex[Tensor, "..."]
"""K-space of any shape that begins with the coils, after any leading axes; zero where not measured."""

CoilCovariance: TypeAlias = Complex[Tensor, "coils coils"]
"""Noise covariance between coils, in the convention of :mod:`mri_noise.acquisition.noise`."""
