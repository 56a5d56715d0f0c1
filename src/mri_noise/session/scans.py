"""What a scan shows before anything is computed with it, slice by slice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mri_noise.coils import LowResolution
from mri_noise.encoding import centered_ifft
from mri_noise.masks import AsAcquired, Equispaced, Undersampling
from mri_noise.scan import Slice


@dataclass(frozen=True, slots=True)
class ScanView:
    """Something to see of a slice.

    Attributes
    ----------
    key
    title
        What is seen of the scan; empty for the scan itself.
    values
        Of a slice: shape (rows, columns), or (coils, rows, columns) if ``by_coil``.
    by_coil
    component
        What is shown of it first.
    """

    key: str
    title: str
    values: Callable[[Slice], Tensor]
    by_coil: bool = True
    component: str = "magnitude"


def combined(acquired: Slice) -> Tensor:
    """Root sum of squares of the coil images, shape (rows, columns)."""
    return coil_images(acquired).abs().square().sum(0).sqrt()


def coil_images(acquired: Slice) -> Tensor:
    """Image of each coil, shape (coils, rows, columns)."""
    return centered_ifft(acquired.kspace)


def coil_maps(acquired: Slice) -> Tensor:
    """The maps of the file, or quick low-resolution ones, shape (coils, rows, columns)."""
    if acquired.coil_maps is not None:
        return acquired.coil_maps
    return LowResolution()(acquired.kspace, acquired.mask, None)


def suggested_undersampling(acquired: Slice, acceleration: float) -> Undersampling:
    """Equispaced lines where all of k-space was acquired, so that there is something to reconstruct; else none."""
    if acceleration <= 1 or not bool(acquired.mask.all()):
        return AsAcquired()
    return Equispaced(acceleration=acceleration)


COMBINED = ScanView("magnitude", "", combined, by_coil=False)
KSPACE = ScanView("kspace", "k-space", lambda acquired: acquired.kspace, component="log magnitude")
COILS = ScanView("coils", "coil images", coil_images)
MAPS = ScanView("coil_maps", "coil maps", coil_maps)

VIEWS = {view.key: view for view in (COMBINED, KSPACE, COILS, MAPS)}


def as_array(view: ScanView, acquired: Slice) -> NDArray[Any]:
    """What a view shows of a slice."""
    with torch.inference_mode():
        return view.values(acquired).resolve_conj().numpy()
