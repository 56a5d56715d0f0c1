"""Solve the normal equations of an encoding: line by line where its mask allows, else by conjugate gradients."""

from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.encoding import Sense
from mri_noise.recon.conjugate_gradients import solve_by_conjugate_gradients

_LARGEST_INVERSES = 2**29


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
    if has_line_inverse(encoding, tikhonov):
        return solve_by_lines(encoding, right_hand_side, float(tikhonov))
    return solve_by_conjugate_gradients(
        encoding, right_hand_side, tikhonov, start=start, tolerance=tolerance, max_iterations=max_iterations
    )


def solve_by_lines(encoding: Sense, right_hand_side: Image, tikhonov: float) -> Image:
    """Multiply each line of each b with the inverse of its own system."""
    across_rows = encoding.undersampled_axes == (-2,)
    oriented = right_hand_side.mT if across_rows else right_hand_side
    lines = oriented.reshape(-1, *oriented.shape[-2:]).permute(1, 2, 0)
    solved = (encoding.line_inverse(tikhonov) @ lines).permute(2, 0, 1).reshape(oriented.shape)
    return solved.mT if across_rows else solved


def has_line_inverse(encoding: Sense, tikhonov: Tensor | float) -> bool:
    """Whether the inverses of the lines of an encoding exist, and are kept in little enough memory."""
    if isinstance(tikhonov, Tensor) and (tikhonov.requires_grad or tikhonov.numel() > 1):
        return False
    n_bytes = encoding.mask.numel() * max(encoding.mask.shape) * encoding.coil_maps.element_size()
    return len(encoding.undersampled_axes) < 2 and n_bytes <= _LARGEST_INVERSES and float(tikhonov) > 0
