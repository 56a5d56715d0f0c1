"""Solve the normal equations of an encoding: line by line where its mask allows, else by conjugate gradients."""

from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.operators.encoding import Sense
from mri_noise.recon.solvers.conjugate_gradients import solve_by_conjugate_gradients


def solve_normal(
    encoding: Sense,
    right_hand_side: Image,
    tikhonov: Tensor | float,
    *,
    start: Image | None = None,
    tolerance: float | None = None,
    max_iterations: int,
) -> Image:
    """Solve (A^H A + lambda) x = b for each b of any leading axes, shape (*batch, rows, columns).

    Where the mask varies along one axis only, the lines across it are small systems of their own, whose inverses are
    kept with the encoding: a solution is then one matrix product. Where it varies along both, where lambda is zero or
    being learned, or where the inverses would take more than half a gigabyte, conjugate gradients solve it, to
    ``tolerance`` or for ``max_iterations``, from ``start`` on.
    """
    if _has_line_inverse(encoding, tikhonov):
        return encoding.solve_lines(right_hand_side, float(tikhonov))
    return solve_by_conjugate_gradients(
        encoding, right_hand_side, tikhonov, start=start, tolerance=tolerance, max_iterations=max_iterations
    )


def _has_line_inverse(encoding: Sense, tikhonov: Tensor | float) -> bool:
    if isinstance(tikhonov, Tensor) and (tikhonov.requires_grad or tikhonov.numel() > 1):
        return False
    return encoding.has_line_inverse(float(tikhonov))
