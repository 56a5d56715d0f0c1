"""What is probed, for the accuracy that is asked for: values, without how they are chosen."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mri_noise.arrays import Image, RealMap


@dataclass(frozen=True, slots=True)
class Lattice:
    """The voxels (y, x) with y = a k and x = b k (mod c): one voxel in a c, over and over.

    Every sublattice of the image grid of that index is one of these, with 0 <= b < c (Hermite normal form).

    Attributes
    ----------
    row_step
        a, in voxels.
    column_step
        c, in voxels.
    shift
        b: columns by which the next row of lattice points is displaced.
    """

    row_step: int
    column_step: int
    shift: int

    @property
    def index(self) -> int:
        """p = a c: the number of colours, and the number of voxels of the image per voxel of the lattice."""
        return self.row_step * self.column_step

    def __contains__(self, displacement: tuple[int, int]) -> bool:
        y, x = displacement
        return y % self.row_step == 0 and (x - self.shift * (y // self.row_step)) % self.column_step == 0

    def colours(self, shape: tuple[int, int]) -> Int[Tensor, "rows columns"]:
        """Number the translates of the lattice from 0 to p - 1: which of them each voxel belongs to."""
        rows, columns = torch.arange(shape[0])[:, None], torch.arange(shape[1])[None, :]
        across = (columns - self.shift * (rows // self.row_step)) % self.column_step
        return (rows % self.row_step) * self.column_step + across


@dataclass(frozen=True, slots=True)
class Plan:
    """A lattice to probe; or forward products alone, where every lattice would take more evaluations.

    Attributes
    ----------
    lattice
        None: forward products of random probes, the row-norm sketch.
    n_signs
        Independent sets of random signs; without a lattice, forward products.
    nrmse
        Predicted root mean square error of the std map over its root mean square, in the object: of the magnitude, or
        for quadrature pairs of the complex image.
    upper_bound
        95 % bound of that error: a multiple of the prediction, since pilots are few and the errors of a map scatter.
        Without a lattice the prediction is a law of sampling, and the bound that of its scatter over the voxels of the
        object.
    n_pilots
        Rows that the prediction comes from.
    target
        NRMSE that was asked for.
    n_evaluations
        Network-sized passes that the choice took, pilots in vain included.
    reach
        Where adjoint products alone are enough (:mod:`mri_noise.variance.lattice.adjoint_only`): the distance along an
        axis beyond which covariances of the zero-filled image are left out. None: a probe of a lattice takes a forward
        product too.
    """

    lattice: Lattice | None
    n_signs: int
    nrmse: float
    upper_bound: float
    n_pilots: int
    target: float
    n_evaluations: int
    reach: int | None = None

    @property
    def reaches_target(self) -> bool:
        """Whether the 95 % bound is within the target."""
        return self.upper_bound <= self.target * (1 + 1e-9)

    @property
    def n_products(self) -> int:
        """Probes of a lattice; forward products without one."""
        return self.n_signs if self.lattice is None else self.n_signs * self.lattice.index

    @property
    def evaluations_per_product(self) -> int:
        """Two for an adjoint and a forward product, one for either alone."""
        return 1 if self.lattice is None or self.reach is not None else 2

    def colours(self, image: Image | RealMap) -> Int[Tensor, "rows columns"]:
        """Which probe of the lattice holds each voxel of an image.

        Raises
        ------
        ValueError
            If there is no lattice.
        """
        if self.lattice is None:
            raise ValueError("this plan has no lattice; plan with the method that is to probe one")
        return self.lattice.colours((image.shape[0], image.shape[1]))

    @property
    def words(self) -> str:
        """What is done."""
        if self.lattice is None:
            return f"{self.n_signs} forward products: fewer evaluations than the lattices that are accurate enough"
        steps = f"{self.lattice.row_step}, {self.lattice.column_step}, {self.lattice.shift}"
        products = "" if self.reach is None else ", adjoint products alone"
        return f"lattice {steps} of {self.lattice.index} colours, {self.n_signs} x random signs{products}"
