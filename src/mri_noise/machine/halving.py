"""Smaller batches where memory runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from mri_noise.machine.allocation import is_out_of_memory

T = TypeVar("T")


def halving(compute: Callable[[int | None], Iterator[T]], fitting: Callable[[int | None], int]) -> Iterator[T]:
    """Compute in batches of the size that was chosen; where memory runs out, start again with half of it.

    Little is lost, since the first batch takes as much memory as the others.

    Parameters
    ----------
    compute
        The computation in batches of a size, or in those that were chosen (None).
    fitting
        The size of these.

    Raises
    ------
    MemoryError, RuntimeError
        If memory runs out even for a batch of one.
    """
    batch: int | None = None
    while True:
        try:
            yield from compute(batch)
        except (MemoryError, RuntimeError) as error:
            size = fitting(batch)
            if size == 1 or not is_out_of_memory(error):
                raise
            batch = size // 2
        else:
            return
