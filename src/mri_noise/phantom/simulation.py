"""A scan of the phantom."""

import hashlib
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.acquisition.noise import Noise, noise_from_samples
from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.arrays import CoilCovariance, KSpace
from mri_noise.operators.fourier import centered_fft, centered_ifft, central_block
from mri_noise.phantom.anatomy import anatomy, object_phase
from mri_noise.phantom.receivers import CoilArray, coil_sensitivities, head_array, noise_covariance
from mri_noise.settings import Settings

_FIELD_OF_VIEW = 240.0
_THICKNESS = 5.0
_MIDDLE = 12.0
"""Height of the stack's centre in the head [mm]."""
_OVERSAMPLING = 3
"""Points of the anatomy per voxel and axis; k-space is cut out of theirs, so that edges ring as measured ones do."""
_N_PRESCAN = 4096

Lines = Annotated[int, Field(ge=16, le=512)]


class Phantom(Settings):
    """A T1-weighted 2-D brain scan with an array around the head, its receiver noise, and a noise prescan.

    The image intensity is about 0.85 in white matter where the coils' root sum of squares is 1, at the head's centre.
    """

    matrix: tuple[Lines, Lines] = Field((128, 128), description="Rows and columns of a field of view of 240 x 240 mm")
    n_slices: int = Field(4, ge=1, le=20, description="Adjacent slices of 5 mm")
    n_coils: int = Field(8, ge=1, le=32, description="Loops around the head")
    noise_level: float = Field(0.02, gt=0, description="Noise level of a k-space sample, rms over the coils")
    noise_correlation: float = Field(0.3, ge=0, lt=1, description="Between the two coils nearest to each other")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the head, the receivers and the noise")

    def __call__(self) -> Scan:
        """Return the scan; each slice is simulated when it is read."""
        noise = noise_from_samples(self.prescan(), "simulated prescan")
        return Scan(
            name="brain phantom",
            layout="simulation",
            labels=tuple(f"slice {number}" for number in range(self.n_slices)),
            n_coils=self.n_coils,
            matrix=self.matrix,
            phase_encode_axes=(-1,),
            voxel_size=self.voxel_size,
            fingerprint=hashlib.sha256(self.model_dump_json().encode()).hexdigest(),
            read=partial(self._read, noise),
        )

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """(slice, row, column) [mm]."""
        return _THICKNESS, _FIELD_OF_VIEW / self.matrix[0], _FIELD_OF_VIEW / self.matrix[1]

    def prescan(self) -> Tensor:
        """Return samples without signal, shape (coils, 4096), complex128."""
        return _noise(self.noise_covariance(), (_N_PRESCAN,), self._generator(0))

    def noise_covariance(self) -> CoilCovariance:
        """Return the true Psi, of which the prescan is a sample."""
        return noise_covariance(self._array(), self.noise_level, self.noise_correlation)

    def _read(self, noise: Noise, index: int) -> Slice:
        array = self._array()
        height = _MIDDLE + _THICKNESS * (index - (self.n_slices - 1) / 2)
        signal = self._signal(array, height)
        kspace = signal + _noise(self.noise_covariance(), self.matrix, self._generator(1 + index))
        sensitivities = coil_sensitivities(array, _grid(self.matrix, height))
        return Slice(
            kspace=kspace.to(torch.complex64),
            mask=torch.ones(self.matrix, dtype=torch.bool),
            noise=noise,
            coil_maps=(sensitivities / torch.linalg.vector_norm(sensitivities, dim=0)).to(torch.complex64),
            reference=torch.linalg.vector_norm(centered_ifft(signal), dim=0).float(),
        )

    def _signal(self, array: CoilArray, height: float) -> KSpace:
        fine = tuple(_OVERSAMPLING * n for n in self.matrix)
        profile = [_grid(fine, height + part * _THICKNESS / 3) for part in (-1, 0, 1)]
        magnitude = torch.stack([anatomy(points, self.seed) for points in profile]).mean(0)
        image = torch.polar(magnitude, object_phase(profile[1], self.seed))
        kspace = centered_fft(coil_sensitivities(array, profile[1]) * image)
        return central_block(kspace, self.matrix) / _OVERSAMPLING

    def _array(self) -> CoilArray:
        return head_array(self.n_coils, self.seed)

    def _generator(self, stream: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 32 + stream)


def _noise(covariance: CoilCovariance, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    white = torch.randn(len(covariance), *shape, generator=generator, dtype=torch.complex128)
    return torch.einsum("cd,d...->c...", torch.linalg.cholesky(covariance), white)


def _grid(matrix: tuple[int, ...], height: float) -> Tensor:
    """Positions of the voxel centres of a slice, shape (rows, columns, 3) [mm]."""
    y, x = ((torch.arange(n, dtype=torch.float64) - n // 2) * _FIELD_OF_VIEW / n for n in matrix)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows, torch.full_like(rows, height)], -1)
