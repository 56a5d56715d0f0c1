"""What is probed, for the accuracy that is asked for: values, without how they are chosen."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mri_noise.arrays import Image, RealMap
from mri_noise.variance.calibration import BOUND_OF_PAIRS, EVALUATIONS_OF_A_PAIR


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
        NRMSE that is asked of the linear part.
    n_evaluations
        Network-sized passes that the choice took, pilots in vain included.
    reach
        Where adjoint products alone are enough (:mod:`mri_noise.variance.lattice.adjoint_only`): the distance along an
        axis beyond which covariances of the zero-filled image are left out. None: a probe of a lattice takes a forward
        product too.
    n_pairs
        Pairs of opposite noise that there are to be in the end, to say what the linear part leaves out.
    error_of_pairs
        Predicted NRMSE of the std map that is theirs.
    total_target
        NRMSE that is asked of the whole map; None: the linear part is all of it.
    replicas
        Whether the variance is that of ``n_signs`` replicas, where a linear part would leave out so much that it does
        not pay.
    """

    lattice: Lattice | None
    n_signs: int
    nrmse: float
    upper_bound: float
    n_pilots: int
    target: float
    n_evaluations: int
    reach: int | None = None
    n_pairs: int = 0
    error_of_pairs: float = 0.0
    total_target: float | None = None
    replicas: bool = False

    @property
    def total_bound(self) -> float:
        """95 % bound of the NRMSE of the whole map."""
        return math.hypot(self.upper_bound, BOUND_OF_PAIRS * self.error_of_pairs)

    @property
    def reaches_target(self) -> bool:
        """Whether the 95 % bound is within the target."""
        target = self.target if self.total_target is None else self.total_target
        return self.total_bound <= target * (1 + 1e-9)

    def cost_from(self, n_pairs: int) -> int:
        """Evaluations that it takes, with so many pairs there already."""
        of_pairs = EVALUATIONS_OF_A_PAIR * max(self.n_pairs - n_pairs, 0)
        return of_pairs + self.evaluations_per_product * self.n_products

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
        if self.replicas:
            return f"{self.n_signs} replicas: fewer evaluations than a linear part that leaves out so much"
        if self.lattice is None:
            return f"{self.n_signs} forward products: fewer evaluations than the lattices that are accurate enough"
        steps = f"{self.lattice.row_step}, {self.lattice.column_step}, {self.lattice.shift}"
        products = "" if self.reach is None else ", adjoint products alone"
        return f"lattice {steps} of {self.lattice.index} colours, {self.n_signs} x random signs{products}"
