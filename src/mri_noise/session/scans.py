"""What a scan shows before anything is computed with it, slice by slice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mri_noise.acquisition.coils import LowResolution
from mri_noise.acquisition.masks import AsAcquired, Equispaced, Undersampling
from mri_noise.acquisition.sampled import without_gaps
from mri_noise.acquisition.scan import Slice
from mri_noise.arrays import Mask
from mri_noise.operators.fourier import centered_ifft
from mri_noise.variance.maps import acceleration


@dataclass(frozen=True, slots=True)
class SampledPoints:
    """The points of k-space that a scan acquired, and those of them that are kept: shape (rows, columns) each."""

    acquired: Mask
    kept: Mask

    @property
    def words(self) -> str:
        """How many there are, in three lines."""
        rows, columns = self.kept.shape
        if not bool(self.kept.any()):
            return "keeps nothing of what was acquired\nchoose another mask"
        share = 100 * int(self.kept.sum()) / int(self.acquired.sum())
        of_scan = "" if bool(self.acquired.all()) else f" (acquired {acceleration(self.acquired):.2f})"
        all_or_some = "all that was acquired" if share == 100 else f"{share:.0f} % of what was acquired"
        return f"R = {acceleration(self.kept):.2f}{of_scan}\nkeeps {all_or_some}\n{rows} x {columns} points"


def sampled_points(acquired: Slice, undersampling: Undersampling, phase_encode_axes: tuple[int, ...]) -> SampledPoints:
    """What an undersampling keeps of a slice."""
    rows, columns = acquired.mask.shape
    return SampledPoints(acquired.mask, acquired.mask & undersampling((rows, columns), phase_encode_axes))


@dataclass(frozen=True, slots=True)
class ScanView:
    """Something to see of a slice.

    Attributes
    ----------
    key
    title
        What is seen of the scan; empty for the scan itself.
    values
        Values of a slice: shape (rows, columns), or (coils, rows, columns) if ``by_coil``.
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


def suggested_undersampling(acquired: Slice, factor: float) -> Undersampling:
    """Equispaced lines where nothing was left out of k-space, so that there is something to reconstruct; else none.

    Zero-filled ends, partial Fourier and an elliptical outline leave no gaps.
    """
    if factor <= 1 or not without_gaps(acquired.mask):
        return AsAcquired()
    return Equispaced(acceleration=factor)


COMBINED = ScanView("magnitude", "", combined, by_coil=False)
KSPACE = ScanView("kspace", "k-space", lambda acquired: acquired.kspace, component="log magnitude")
COILS = ScanView("coils", "coil images", coil_images)
MAPS = ScanView("coil_maps", "coil maps", coil_maps)

VIEWS = {view.key: view for view in (COMBINED, KSPACE, COILS, MAPS)}


def as_array(view: ScanView, acquired: Slice) -> NDArray[Any]:
    """What a view shows of a slice."""
    with torch.inference_mode():
        return view.values(acquired).resolve_conj().numpy()
