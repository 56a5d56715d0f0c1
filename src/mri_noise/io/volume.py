"""Three-dimensional acquisitions, taken apart into slices across their readout, and kept while these are read."""

import shutil
import tempfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mri_noise.arrays import Mask

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

BLOCK_BYTES = 32 * 2**20
"""How much of a file is held in memory at once while a volume is transformed [bytes]."""


@dataclass(frozen=True, slots=True)
class VolumetricKSpace:
    """Hybrid space: the readout is an image axis, the two phase encodes are still k-space.

    Attributes
    ----------
    samples : shape (readout, coils, rows, columns)
        In a temporary file; a slice is read when it is indexed.
    mask : shape (rows, columns)
        The same for every position along the readout.
    """

    samples: NDArray[np.complex64]
    mask: Mask


def temporary_array(shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """Make an array of zeros in a nameless temporary file, which goes away with the last reference to the array.

    Raises
    ------
    ValueError
        If the disk has no room for it.
    """
    folder = tempfile.gettempdir()
    needed = np.dtype(np.complex64).itemsize * int(np.prod(shape, dtype=object))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"reading a 3-D scan of this size needs {needed / 1e9:.3g} GB of temporary disk space, but '{folder}' has "
            f"{free / 1e9:.3g} GB left; free some, or set TMPDIR to another folder"
        )
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=np.complex64, mode="w+", shape=shape)


class Kept(Generic[_K, _V]):
    """A function whose latest values are kept; where it is unpickled it begins with none.

    Parameters
    ----------
    function
    n_kept
        Number of values.
    """

    def __init__(self, function: Callable[[_K], _V], n_kept: int = 1) -> None:
        self._made_of = function, n_kept
        self._function = lru_cache(maxsize=n_kept)(function)

    def __call__(self, argument: _K) -> _V:
        return self._function(argument)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of
