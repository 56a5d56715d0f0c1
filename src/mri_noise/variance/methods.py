"""The variance methods that an experiment can choose from."""

from typing import Annotated

from pydantic import Field

from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch

VarianceMethod = Annotated[
    LatticeProbing | ComplexLatticeProbing | Sketch | MonteCarlo | Exact, Field(discriminator="kind")
]
"""How the variance of a reconstruction is computed."""
