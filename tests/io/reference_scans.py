"""Scans of the phantom with reference lines, as a scanner's parallel imaging writes them."""

from dataclasses import replace
from pathlib import Path

import ismrmrd
import numpy as np
import torch

from mri_noise.phantom.simulation import Phantom
from tests.io.ismrmrd_files import Header, Line, fft_along, ifft_along, lines_of, write_ismrmrd

REFERENCE = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,)
BOTH = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING,)
PHANTOM = Phantom(matrix=(32, 36), n_slices=2, n_coils=6)
SPACING, FIRST, CENTRE = 3, 1, range(10, 26)
"""Lines of the lattice, and the reference lines between and at them."""


def integrated(lines: list[Line], centre: range = CENTRE) -> list[Line]:
    """Every third line for the image; the others of the centre for calibration, and those at both for both."""
    lattice = [line for line in lines if line.line % SPACING == FIRST]
    image = [replace(line, flags=BOTH if line.line in centre else ()) for line in lattice]
    between = [line for line in lines if line.line % SPACING != FIRST and line.line in centre]
    return sorted(image + [replace(line, flags=REFERENCE) for line in between], key=lambda line: line.line)


def integrated_mask(centre: range = CENTRE) -> np.ndarray:
    lines = np.arange(PHANTOM.matrix[1])
    return np.broadcast_to((lines % SPACING == FIRST) | np.isin(lines, centre), PHANTOM.matrix)


def phantom_kspace(index: int, *, oversampled: bool = False) -> np.ndarray:
    """K-space of a slice of the phantom; its readout oversampled twice by noise of the same variance if asked for."""
    kspace = PHANTOM()[index].kspace.numpy()
    if not oversampled:
        return kspace
    profiles, n = ifft_along(kspace, 1), kspace.shape[1]
    outside = ifft_along(_receiver_noise((2 * n, kspace.shape[2]), seed=17 + index), 1)
    outside[:, n // 2 : n // 2 + n] = profiles
    return fft_along(outside, 1)


def prescan_lines(dwell_time: float = 5.0) -> list[Line]:
    """Noise measurements of the phantom's receivers; samples of twice the bandwidth have twice the variance."""
    noise = _receiver_noise((16, 256), seed=5) * np.sqrt(5.0 / dwell_time)
    flags = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    return [Line(noise[:, number], flags=flags, dwell_time=dwell_time) for number in range(16)]


def _receiver_noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(PHANTOM.n_coils, *shape, generator=generator, dtype=torch.complex128).numpy()
    return np.einsum("cd,d...->c...", np.linalg.cholesky(PHANTOM.noise_covariance().numpy()), white)


def integrated_scan(path: Path, group: str = "dataset") -> Path:
    """Two slices of the phantom, oversampled, at R = 3 with 16 reference lines, and a noise prescan."""
    n_rows, n_lines = PHANTOM.matrix
    header = Header((2 * n_rows, n_lines, 1), (n_rows, n_lines, 1), (480.0, 240.0, 5.0), (240.0, 240.0, 5.0))
    slices = [
        integrated(lines_of(phantom_kspace(index, oversampled=True), slice=index)) for index in range(PHANTOM.n_slices)
    ]
    return write_ismrmrd(path, header, [*prescan_lines(2.5), *(line for lines in slices for line in lines)], group)


def two_measurements(path: Path) -> Path:
    """An adjustment scan of 16 x 16, and the scan with an integrated reference."""
    small = Phantom(matrix=(16, 16), n_slices=2, n_coils=PHANTOM.n_coils)()
    lines = [line for index in range(2) for line in lines_of(small[index].kspace.numpy(), slice=index)]
    write_ismrmrd(path, Header((16, 16, 1)), [*prescan_lines(), *lines], "dataset_1")
    return integrated_scan(path, "dataset_2")
