"""Where k-space is sampled, and whether that leaves gaps."""

import torch

from mri_noise.arrays import Mask


def sampled_block(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle of k-space that holds all sampled points."""
    rows, columns = (torch.nonzero(mask.any(axis)).flatten().tolist() for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def without_gaps(mask: Mask) -> bool:
    """Whether the sampled points of every row, and of every column, follow each other: nothing aliases then.

    So it is where k-space is sampled completely, in part (padded with zeros, partial Fourier, asymmetric echo) or
    within an ellipse, and not where points between others are left out.
    """
    return all(_begins_once(lines) for lines in (mask, mask.mT))


def _begins_once(lines: Mask) -> bool:
    """Whether no row has more than one run of sampled points."""
    begins = lines & ~torch.nn.functional.pad(lines, (1, 0))[:, :-1]
    return bool((begins.sum(1) <= 1).all())
