"""Coil sensitivity maps: from the file, by ESPIRiT, or from low-resolution images.

Every choice gives maps whose sum of squares over the coils is one, or zero where there is no signal to tell the
sensitivities from. All but the file's are calibrated on the largest fully sampled square at the centre of k-space.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from mri_noise.acquisition.coil_calibration import (
    calibration_square,
    low_resolution_images,
    signal_over_noise,
    unexplained_share,
)
from mri_noise.acquisition.noise import Noise
from mri_noise.arrays import CoilCovariance, CoilMaps, KSpace, Mask
from mri_noise.choices import Choosable, Group

CalibrationSide = Annotated[
    int | None, Field(ge=8, description="Side of the calibration square; none: as sampled, at most 24")
]

_LEAST_SIGNAL = 4.0
"""Noise alone has 0.9 to 1.2 of measured coils, the weakest slice that still gave maps of its coils 17."""
_DOUBTFUL, _MOSTLY_NOISE = 0.03, 0.5
"""Measured brains and phantoms: below 0.006; half the field of view 0.08 to 0.22; noise alone 0.2 to 0.9."""


class CoilMapping(Choosable):
    """Where the coil sensitivity maps come from."""

    group: ClassVar[Group] = "coils"
    thing: ClassVar[str] = "coil mapping"

    @abstractmethod
    def __call__(self, kspace: KSpace, mask: Mask, from_file: CoilMaps | None) -> CoilMaps:
        """Return coil maps of the shape of ``kspace``, their sum of squares one, or zero off the object.

        ValueError, in one sentence, if they cannot be found.

        Parameters
        ----------
        kspace : shape (coils, rows, columns), in the data's units
        mask : shape (rows, columns)
            Where it was sampled.
        from_file : shape (coils, rows, columns)
            The maps that the scan's file holds; None if it holds none.
        """


class MapsFromFile(CoilMapping):
    """The maps that the file holds, scaled to a sum of squares of one."""

    title: ClassVar[str] = "from the file"

    kind: Literal["file"] = "file"

    def __call__(self, kspace: KSpace, mask: Mask, from_file: CoilMaps | None) -> CoilMaps:
        """Return the maps; ValueError if the file has none."""
        if from_file is None:
            raise ValueError("this scan's file holds no coil maps; set coils.kind to espirit or low-resolution")
        return _normalised(from_file.to(kspace), torch.zeros(()))


class Espirit(CoilMapping):
    """The leading ESPIRiT maps (Uecker 2014, doi:10.1002/mrm.24751), computed by sigpy on the CPU.

    The phase of the maps is relative to the combination of coils that is strongest in the calibration data. A single
    coil may be dark somewhere, and its phase is random there; the strongest combination is bright in all the object.
    Kernels are no wider than a third of the calibration square, so that few calibration lines still determine them.
    """

    title: ClassVar[str] = "ESPIRiT"

    kind: Literal["espirit"] = "espirit"
    n_calibration: CalibrationSide = None
    kernel_width: int = Field(6, ge=3, le=16, description="Largest side of the k-space kernels")
    threshold: float = Field(0.02, gt=0, lt=1, description="Singular values kept, relative to the largest one")
    crop: float = Field(0.9, ge=0, lt=1, description="Maps are zero where their eigenvalue, 1 at best, is smaller")

    def __call__(self, kspace: KSpace, mask: Mask, from_file: CoilMaps | None) -> CoilMaps:
        """Return the maps; ValueError if the centre is not sampled, too small, or without signal."""
        calibration = calibration_square(kspace, mask, self.n_calibration)
        rotation = _strongest_first(calibration)
        rotated = torch.einsum("dc,crk->drk", rotation, kspace)
        maps = self._calibrate(rotated.cpu().numpy(), calibration.shape[-1])
        return torch.einsum("dc,drk->crk", rotation.conj(), torch.from_numpy(maps).to(kspace))

    def _calibrate(self, kspace: NDArray[np.complexfloating], side: int) -> NDArray[np.complexfloating]:
        """Run sigpy, which refers the phase to the first coil."""
        from sigpy.mri.app import EspiritCalib  # noqa: PLC0415

        app = EspiritCalib(
            kspace,
            calib_width=side,
            thresh=self.threshold,
            kernel_width=min(self.kernel_width, round(side / 3)),
            crop=self.crop,
            show_pbar=False,
        )
        return app.run()


class LowResolution(CoilMapping):
    """Images of the Hann-windowed centre of k-space over their root sum of squares.

    They hold the smooth phase of the object too, so that a reconstruction with them is nearly real.
    """

    kind: Literal["low-resolution"] = "low-resolution"
    n_calibration: CalibrationSide = None
    background: float = Field(0.03, ge=0, lt=1, description="Maps are zero below this share of the brightest point")

    def __call__(self, kspace: KSpace, mask: Mask, from_file: CoilMaps | None) -> CoilMaps:
        """Return the maps; ValueError if the centre is not sampled, too small, or without signal."""
        images = low_resolution_images(calibration_square(kspace, mask, self.n_calibration), mask.shape)
        return _normalised(images, self.background * _root_sum_of_squares(images).max())


def calibrated(
    choice: CoilMapping, kspace: KSpace, mask: Mask, from_file: CoilMaps | None, noise: Noise
) -> tuple[CoilMaps, float | None]:
    """Return coil maps, and the share of the low-resolution images that they do not explain (None: nothing to ask).

    ``noise`` is that of ``kspace``.

    Raises
    ------
    ValueError
        If the maps would come from noise; and whatever the choice raises.
    """
    if isinstance(choice, MapsFromFile):
        maps, square = choice(kspace, mask, from_file), _asked(kspace, mask)
        return maps, None if square is None else unexplained_share(square, maps, noise)
    square = calibration_square(kspace, mask, None)
    _require_signal(square, noise)
    maps = choice(kspace, mask, from_file)
    share = unexplained_share(square, maps, noise)
    if share > _MOSTLY_NOISE:
        raise ValueError(
            f"the coil maps do not explain {100 * share:.0f} % of the data that they come from, so that they are "
            "mostly noise; sample more calibration lines, or use coil maps from a file"
        )
    return maps, share


def _asked(kspace: KSpace, mask: Mask) -> Tensor | None:
    """The centre of k-space that maps of a file are held against; None where there is none: they do without."""
    try:
        return calibration_square(kspace, mask, None)
    except ValueError:
        return None


def doubts(unexplained: float | None) -> tuple[str, ...]:
    """What is to be said against coil maps that do not explain a share of the data; mostly nothing."""
    if unexplained is None or unexplained <= _DOUBTFUL:
        return ()
    return (
        f"the coil maps do not explain {100 * unexplained:.1f} % of the low-resolution images: the field of view may "
        "be smaller than the object, the object may have moved, or the maps belong to other data",
    )


def _require_signal(square: Tensor, noise: Noise) -> None:
    ratio = signal_over_noise(square, noise)
    if ratio < _LEAST_SIGNAL:
        raise ValueError(
            f"coil calibration needs signal, but the centre of k-space is no more than noise ({ratio:.1f} times what "
            f"noise alone would have, {_LEAST_SIGNAL:g} needed); choose another slice, or check the data and noise.kind"
        )


def _strongest_first(calibration: KSpace) -> CoilCovariance:
    """Unitary combinations of the coils, in the order of their energy in the calibration data."""
    samples = calibration.flatten(1).to(torch.complex128)
    modes = torch.linalg.eigh(samples @ samples.mH).eigenvectors.flip(1)
    return modes.mH.to(calibration.dtype)


def _root_sum_of_squares(images: Tensor) -> Tensor:
    return torch.linalg.vector_norm(images, dim=0)


def _normalised(images: CoilMaps, background: Tensor) -> CoilMaps:
    magnitude = _root_sum_of_squares(images)
    return torch.where(magnitude > background, images / magnitude.clamp(min=torch.finfo(magnitude.dtype).tiny), 0)
