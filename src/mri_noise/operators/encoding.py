"""The encoding of an image in k-space, as reconstructions and noise maps see it."""

from abc import abstractmethod

from mri_noise.arrays import GridImage, GridMap, GridMask
from mri_noise.operators.lines import LineSolver
from mri_noise.operators.linop import LinearOperator, Shape
from mri_noise.operators.point_spread import PointSpread


class Encoding(LinearOperator):
    """The encoding A of an image in k-space: whatever the trajectory, and for any number of spatial axes.

    A subclass is abstract or final. ``out_shape`` is that of k-space, (coils, *samples), which is zero where nothing
    was measured. :attr:`lines` and :attr:`point_spread` are abilities that a subclass may have: what needs one of them
    does without where it is None, or says why it cannot.
    """

    @property
    @abstractmethod
    def grid(self) -> Shape:
        """Lengths of the spatial axes of an image: ``in_shape``, or its end for several images side by side."""

    @property
    @abstractmethod
    def sampled(self) -> GridMask:
        """Whether a sample was measured, shape (*samples): noise is nowhere else."""

    @property
    @abstractmethod
    def coil_power(self) -> GridMap:
        """The diagonal of A^H A as it is with every sample measured, shape ``in_shape``; zero off the coil maps."""

    @abstractmethod
    def normal(self, x: GridImage) -> GridImage:
        """Apply A^H A to images of any leading axes."""

    @property
    def lines(self) -> LineSolver | None:
        """What inverts A^H A + lambda line by line; None where lines are not independent of each other."""
        return None

    @property
    def point_spread(self) -> PointSpread | None:
        """A^H A as a convolution of coil images; None where it is none, or is not known."""
        return None


def require_rows_and_columns(encoding: Encoding, asking: str) -> None:
    """Check that images have rows and columns for a 2-D network; it takes axes before them as slices.

    Raises
    ------
    ValueError
        If they do not; the sentence begins with who is asking.
    """
    if len(encoding.grid) < 2:
        raise ValueError(
            f"{asking} filters rows and columns, got an image of shape {encoding.grid}; "
            "choose a reconstruction for any number of axes, such as cg-sense"
        )
