"""Solve the normal equations of an encoding: line by line where it can, else by conjugate gradients."""

from torch import Tensor

from mri_noise.arrays import GridImage
from mri_noise.operators.encoding import Encoding
from mri_noise.operators.lines import LineSolver
from mri_noise.recon.solvers.conjugate_gradients import solve_by_conjugate_gradients
from mri_noise.recon.solvers.solution import Solution


def solve_normal(
    encoding: Encoding,
    right_hand_side: GridImage,
    tikhonov: Tensor | float,
    *,
    start: GridImage | None = None,
    tolerance: float | None = None,
    max_iterations: int,
) -> Solution:
    """Solve (A^H A + lambda) x = b for each b of any leading axes, shape (*batch, *grid).

    Where the lines of the encoding are small systems of their own, their inverses are kept with it: a solution is then
    one matrix product. Where they are not, where lambda is zero or being learned, or where the inverses would take
    more than half a gigabyte, conjugate gradients solve it, to ``tolerance`` or for ``max_iterations``, from ``start``
    on.
    """
    lines = encoding.lines
    if lines is not None and _is_inverted(lines, tikhonov):
        return Solution(lines.solve(right_hand_side, float(tikhonov)), None, 0, "direct")
    return solve_by_conjugate_gradients(
        encoding, right_hand_side, tikhonov, start=start, tolerance=tolerance, max_iterations=max_iterations
    )


def _is_inverted(lines: LineSolver, tikhonov: Tensor | float) -> bool:
    if isinstance(tikhonov, Tensor) and (tikhonov.requires_grad or tikhonov.numel() > 1):
        return False
    return lines.has(float(tikhonov))
