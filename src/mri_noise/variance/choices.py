"""The variance methods that an experiment can choose from."""

from typing import Annotated

from pydantic import Field

from mri_noise.variance.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.exact import Exact
from mri_noise.variance.magnitude import LatticeProbing
from mri_noise.variance.replica import MonteCarlo
from mri_noise.variance.sketch import Sketch

VarianceMethod = Annotated[
    LatticeProbing | ComplexLatticeProbing | Sketch | MonteCarlo | Exact, Field(discriminator="kind")
]
"""How the variance of a reconstruction is computed."""
