"""Coil sensitivity maps: from the file, by ESPIRiT, or from low-resolution images.

Every choice gives maps whose sum of squares over the coils is one, or zero where there is no signal to tell the
sensitivities from. All but the file's are calibrated on the largest fully sampled square at the centre of k-space.
"""

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import CoilCovariance, CoilMaps, KSpace, Mask
from mri_noise.encoding import centered_ifft, central
from mri_noise.settings import Settings

CalibrationSide = Annotated[
    int | None, Field(ge=8, description="Side of the calibration square; none: as sampled, at most 24")
]
_LEAST_SIDE, _USUAL_SIDE = 8, 24


class MapsFromFile(Settings):
    """The maps that the file holds, scaled to a sum of squares of one."""

    kind: Literal["file"] = "file"

    def __call__(self, kspace: KSpace, mask: Mask, from_file: CoilMaps | None) -> CoilMaps:
        """Return the maps; ValueError if the file has none."""
        if from_file is None:
            raise ValueError("this scan's file holds no coil maps; set coils.kind to espirit or low-resolution")
        return _normalised(from_file.to(kspace), torch.zeros(()))


class Espirit(Settings):
    """The leading ESPIRiT maps (Uecker 2014, doi:10.1002/mrm.24751), computed by sigpy on the CPU.

    The phase of the maps is relative to the combination of coils that is strongest in the calibration data. A single
    coil may be dark somewhere, and its phase is random there; the strongest combination is bright in all the object.
    Kernels are no wider than a third of the calibration square, so that few calibration lines still determine them.
    """

    kind: Literal["espirit"] = "espirit"
    n_calibration: CalibrationSide = None
    kernel_width: int = Field(6, ge=3, le=16, description="Largest side of the k-space kernels")
    threshold: float = Field(0.02, gt=0, lt=1, description="Singular values kept, relative to the largest one")
    crop: float = Field(0.9, ge=0, lt=1, description="Maps are zero where their eigenvalue, 1 at best, is smaller")

    def __call__(self, kspace: KSpace, mask: Mask, from_file: CoilMaps | None) -> CoilMaps:
        """Return the maps; ValueError if the centre is not sampled, too small, or without signal."""
        calibration = _calibration(kspace, mask, self.n_calibration)
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


class LowResolution(Settings):
    """Images of the Hann-windowed centre of k-space over their root sum of squares.

    They hold the smooth phase of the object too, so that a reconstruction with them is nearly real.
    """

    kind: Literal["low-resolution"] = "low-resolution"
    n_calibration: CalibrationSide = None
    background: float = Field(0.03, ge=0, lt=1, description="Maps are zero below this share of the brightest point")

    def __call__(self, kspace: KSpace, mask: Mask, from_file: CoilMaps | None) -> CoilMaps:
        """Return the maps; ValueError if the centre is not sampled, too small, or without signal."""
        calibration = _calibration(kspace, mask, self.n_calibration)
        side = calibration.shape[-1]
        window = torch.cos(torch.pi * (torch.arange(side, dtype=torch.float64) - side // 2) / (side + 1)).square()
        centre = torch.zeros_like(kspace)
        _central(centre, side).copy_(calibration * (window[:, None] * window).to(calibration))
        images = centered_ifft(centre)
        return _normalised(images, self.background * _root_sum_of_squares(images).max())


CoilMapping = Annotated[MapsFromFile | Espirit | LowResolution, Field(discriminator="kind")]


def calibration_size(mask: Mask) -> tuple[int, int]:
    """Return (rows, columns) of the largest fully sampled rectangle at the centre of k-space.

    The largest is the one whose shorter side is longest, then the one of largest area; (0, 0) if there is none. It
    has the centre index n // 2 at its own index m // 2.
    """
    rows, columns = (_from_centre(n).to(mask.device) for n in mask.shape)
    full = mask[rows][:, columns].int().cummin(0).values.cummin(1).values
    heights, widths = (torch.arange(1, n + 1, device=mask.device) for n in mask.shape)
    shorter, area = torch.minimum(heights[:, None], widths), heights[:, None] * widths
    best = int((full * (shorter * mask.numel() + area)).argmax())
    if not bool(full.flatten()[best]):
        return 0, 0
    return best // mask.shape[1] + 1, best % mask.shape[1] + 1


def _from_centre(n: int) -> Tensor:
    """Indices in the order in which a growing centred block takes them in: c, c-1, c+1, c-2, ..."""
    steps = torch.arange(n)
    return n // 2 + torch.where(steps % 2 == 0, 1, -1) * ((steps + 1) // 2)


def _calibration(kspace: KSpace, mask: Mask, n_calibration: int | None) -> Tensor:
    """Cut out the calibration square."""
    rows, columns = calibration_size(mask)
    sampled = min(rows, columns)
    wanted = n_calibration or _LEAST_SIDE
    if sampled < wanted:
        raise ValueError(
            f"coil calibration needs {wanted} x {wanted} fully sampled points at the centre of k-space, but "
            f"{rows} x {columns} are sampled; sample more calibration lines or use coil maps from a file"
        )
    square = _central(kspace, n_calibration or min(sampled, _USUAL_SIDE))
    if not bool(square.any()):
        raise ValueError("coil calibration needs signal, but the centre of k-space is zero; check the data")
    return square


def _central(kspace: KSpace, side: int) -> Tensor:
    rows, columns = (central(n, side) for n in kspace.shape[-2:])
    return kspace[:, rows, columns]


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
