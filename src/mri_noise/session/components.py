"""What is shown of complex values: one real component at a time, with its colours and its window."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ContrastLimits = tuple[float, float]

_DECADES = 4


@dataclass(frozen=True, slots=True)
class Component:
    """A real view of complex values.

    Attributes
    ----------
    name, key
        What it is called, and the key that shows it.
    values
        From complex to real, element by element; for NumPy and for lazy arrays.
    window
        Limits that the component of complex values is drawn between.
    colormap
    """

    name: str
    key: str
    values: Callable[[Any], Any]
    window: Callable[[NDArray[Any]], ContrastLimits]
    colormap: str = "gray"


def _bright(values: NDArray[Any]) -> float:
    """The 99.5th percentile of the magnitude, or one where all is dark."""
    return float(np.percentile(np.abs(values), 99.5)) or 1.0


def _log_magnitude(values: Any) -> Any:
    return np.log10(np.maximum(np.abs(values), np.finfo(np.float32).tiny))


def _log_window(values: NDArray[Any]) -> ContrastLimits:
    top = float(_log_magnitude(np.abs(values).max() or 1.0))
    return top - _DECADES, top


MAGNITUDE = Component("magnitude", "m", np.abs, lambda z: (0.0, _bright(z)))
PHASE = Component("phase", "p", np.angle, lambda z: (-float(np.pi), float(np.pi)), "twilight_shifted")
REAL = Component("real", "r", np.real, lambda z: (-_bright(z), _bright(z)))
IMAGINARY = Component("imaginary", "i", np.imag, lambda z: (-_bright(z), _bright(z)))
LOG_MAGNITUDE = Component("log magnitude", "l", _log_magnitude, _log_window)

COMPONENTS = {each.name: each for each in (MAGNITUDE, PHASE, REAL, IMAGINARY, LOG_MAGNITUDE)}
"""By name; the phase is cyclic and its window never changes, the logarithm spans four decades."""
