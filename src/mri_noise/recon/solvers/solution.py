"""What a solver returns."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from mri_noise.arrays import GridImage

Verdict = Literal["direct", "converged", "near", "exhausted", "not finite"]
"""How a solution was found, and how good it is: ``direct``: exact but for rounding; ``converged``: to the tolerance;
``near``: not to the tolerance, but to a thousandth of the right-hand side, in the iterations that were allowed;
``exhausted``: not even that, so that the image is no solution; ``not finite``: the right-hand side holds NaN or Inf."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The solution of normal equations (A^H A + lambda) x = b for each b of a batch.

    Attributes
    ----------
    image : shape (*batch, *grid)
        x; it alone carries derivatives.
    residual : shape (*batch)
        |b - (A^H A + lambda) x| / |b| as the iterations left it; None for a direct solution, which has none.
    n_iterations
        Applications of A^H A, together for the whole batch; 0 for a direct solution.
    verdict
        That of the worst of the batch.
    """

    image: GridImage
    residual: Float[Tensor, "*batch"] | None
    n_iterations: int
    verdict: Verdict
