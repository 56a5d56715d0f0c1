"""Derivatives in a lower precision, where that is quicker and as good."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mri_noise.arrays import GridImage, GridMask
from mri_noise.operators.jacobian import Jacobian
from mri_noise.variance.calibration import LARGEST_ROUNDING

Arithmetic = Literal["auto", "full"]


@dataclass(frozen=True, slots=True)
class Derivative:
    """A derivative, and how it is computed.

    Attributes
    ----------
    jacobian
    rounding
        Relative error of one probe in the object that its convolutions in bfloat16 make; None: in full precision.
    exact
        The same in full precision.
    """

    jacobian: Jacobian
    rounding: float | None
    exact: Jacobian


def linearised(
    function: Callable[[Tensor], GridImage],
    at: Tensor,
    probe: Tensor,
    *,
    replayable: bool,
    around: Iterable[Tensor] | None = None,
) -> Jacobian:
    """The derivative in full precision.

    A replayable function is tried with a probe of the shape of ``at``, and averaged over the points of some batches
    around it if there are any; one that is not is linearised there.
    """
    if replayable:
        return Jacobian.of_steps(function, at, probe=probe, around=around)
    return Jacobian.of_any(function, at)


def quickest(full: Jacobian, probe: Tensor, region: GridMask) -> Derivative:
    """A derivative with its convolutions in bfloat16, if the device has it and a probe is then within 1 %.

    Bfloat16 has 8 bits of mantissa: that is too coarse for what noise changes in an image, and enough for a
    derivative, to which noise goes by itself. Transforms and data consistency stay in the precision of the data.
    """
    if full.at.dtype != torch.complex64 or not has_bfloat16(full.at.device):
        return Derivative(full, None, full)
    quick, expected = full.rounded(torch.bfloat16), full.tried
    if quick is None or expected is None:
        return Derivative(full, None, full)
    error, size = _norm(quick(probe) - expected, region), _norm(expected, region)
    accurate = size > 0 and error <= LARGEST_ROUNDING * size
    return Derivative(quick, error / size, full) if accurate else Derivative(full, None, full)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 numbers itself, in convolutions that are then known to be quicker."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    tell = getattr(torch.cpu, "get_capabilities", None)  # older versions of torch do not
    capabilities: dict[str, object] = {} if tell is None else tell()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16"))


def _norm(image: GridImage, region: GridMask) -> float:
    return float(torch.linalg.vector_norm(image[region]))
