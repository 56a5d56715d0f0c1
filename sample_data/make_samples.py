"""Write the sample scans of this folder: one simulated brain scan as fastMRI HDF5 and as ISMRMRD HDF5.

Run ``python sample_data/make_samples.py``; the arrays are the same each time.
"""

from pathlib import Path

import h5py
import ismrmrd
import numpy as np
import torch
from ismrmrd import xsd
from numpy.typing import NDArray
from torch import Tensor

from mri_noise.acquisition.scan import Slice
from mri_noise.operators.fourier import centered_fft, centered_ifft
from mri_noise.phantom.simulation import Phantom

PHANTOM = Phantom(matrix=(128, 128), n_slices=4, n_coils=8, seed=1)
N_ISMRMRD_SLICES = 2
STEP = 2.0**-11
"""Digitisation of real and imaginary parts, a fortieth of the noise level: the files compress, the noise stays."""
MAP_STEP = 2.0**-10
DWELL_TIME = 5.0
"""Between two samples of an oversampled readout [microseconds]."""
N_NOISE_ACQUISITIONS = 16


def write_samples(folder: Path) -> None:
    """Write both files into a folder."""
    scan = PHANTOM()
    slices = [scan[index] for index in range(len(scan))]
    write_fastmri(folder / "brain_phantom.h5", slices)
    write_ismrmrd(folder / "brain_phantom_ismrmrd.h5", slices[:N_ISMRMRD_SLICES])


def write_fastmri(path: Path, slices: list[Slice]) -> None:
    """Write slices of the phantom in fastMRI's layout, with the noise prescan and the true coil maps."""
    thickness, row, _ = PHANTOM.voxel_size
    images = digitised(torch.stack([data.reference for data in slices]), STEP)
    arrays = {
        "kspace": digitised(torch.stack([data.kspace for data in slices]), STEP),
        "reconstruction_rss": images,
        "sensitivity_maps": digitised(torch.stack([data.coil_maps for data in slices]), MAP_STEP),
        "noise": digitised(PHANTOM.prescan(), STEP),
    }
    attributes = {
        "acquisition": "AXT1_SIMULATED",
        "patient_id": "brain_phantom",
        "source": "sample_data/make_samples.py of napari-mri-noise",
        "license": "Apache-2.0",
        "fft": "centered orthonormal",
        "fully_sampled": True,
        "phase_encode_axis": 3,
        "fov_mm": row * PHANTOM.matrix[0],
        "slice_mm": thickness,
        "max": float(images.max()),
        "norm": float(np.linalg.norm(images)),
    }
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            chunks = (1, *array.shape[1:]) if array.ndim > 2 else True
            file.create_dataset(name, data=array, chunks=chunks, compression="gzip", shuffle=True)
        file.attrs.update(attributes)


def write_ismrmrd(path: Path, slices: list[Slice]) -> None:
    """Write slices of the phantom as ISMRMRD acquisitions, with twofold readout oversampling and a noise prescan."""
    path.unlink(missing_ok=True)  # the package would append to it
    file = ismrmrd.Dataset(str(path), "dataset", create_if_needed=True)
    try:
        file.write_xml_header(_header(len(slices)).toXML("utf-8"))
        for samples in np.split(digitised(PHANTOM.prescan(), STEP), N_NOISE_ACQUISITIONS, axis=1):
            file.append_acquisition(_acquisition(samples, ismrmrd.ACQ_IS_NOISE_MEASUREMENT))
        for number, data in enumerate(slices):
            kspace = torch.from_numpy(digitised(data.kspace, STEP)).to(torch.complex128)
            _append_slice(file, _oversampled(kspace, seed=number), number)
    finally:
        file.close()


def digitised(samples: Tensor, step: float) -> NDArray[np.generic]:
    """Round to multiples of a power of two, and to single precision."""
    parts = torch.view_as_real(samples) if samples.is_complex() else samples
    rounded = (torch.round(parts.double() / step) * step).float()
    return (torch.view_as_complex(rounded) if samples.is_complex() else rounded).numpy()


def _oversampled(kspace: Tensor, seed: int) -> NDArray[np.complex64]:
    """Return the k-space of a readout field of view twice as large: beyond the image there is noise only."""
    n_coils, rows, columns = kspace.shape
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(n_coils, 2 * rows, columns, generator=generator, dtype=torch.complex128)
    wide = torch.einsum("cd,drk->crk", torch.linalg.cholesky(PHANTOM.noise_covariance()), white)
    start = rows - rows // 2
    wide[:, start : start + rows] = centered_ifft(kspace)
    return centered_fft(wide).to(torch.complex64).numpy()


def _append_slice(file: ismrmrd.Dataset, kspace: NDArray[np.complex64], number: int) -> None:
    last = kspace.shape[-1] - 1
    for line in range(last + 1):
        flags = [ismrmrd.ACQ_FIRST_IN_SLICE] * (line == 0) + [ismrmrd.ACQ_LAST_IN_SLICE] * (line == last)
        acquisition = _acquisition(kspace[:, :, line], *flags)
        acquisition.idx.kspace_encode_step_1 = line
        acquisition.idx.slice = number
        acquisition.position[:] = (0.0, 0.0, number * PHANTOM.voxel_size[0])
        file.append_acquisition(acquisition)


def _acquisition(samples: NDArray[np.complex64], *flags: int) -> ismrmrd.Acquisition:
    acquisition = ismrmrd.Acquisition.from_array(np.ascontiguousarray(samples))
    acquisition.center_sample = samples.shape[1] // 2
    acquisition.sample_time_us = DWELL_TIME
    acquisition.read_dir[:], acquisition.phase_dir[:], acquisition.slice_dir[:] = (0, 1, 0), (-1, 0, 0), (0, 0, 1)
    for flag in flags:
        acquisition.set_flag(flag)
    return acquisition


def _header(n_slices: int) -> xsd.ismrmrdHeader:
    rows, columns = PHANTOM.matrix
    limits = xsd.encodingLimitsType(
        kspace_encoding_step_1=xsd.limitType(minimum=0, maximum=columns - 1, center=columns // 2),
        slice=xsd.limitType(minimum=0, maximum=n_slices - 1, center=0),
    )
    encoding = xsd.encodingType(
        encodedSpace=_space(2 * rows, columns),
        reconSpace=_space(rows, columns),
        encodingLimits=limits,
        trajectory=xsd.trajectoryType.CARTESIAN,
    )
    system = xsd.acquisitionSystemInformationType(
        systemVendor="napari-mri-noise", receiverChannels=PHANTOM.n_coils, relativeReceiverNoiseBandwidth=1.0
    )
    conditions = xsd.experimentalConditionsType(H1resonanceFrequency_Hz=127_740_000)
    return xsd.ismrmrdHeader(
        version=1, acquisitionSystemInformation=system, experimentalConditions=conditions, encoding=[encoding]
    )


def _space(n_readout: int, n_lines: int) -> xsd.encodingSpaceType:
    thickness, row, column = PHANTOM.voxel_size
    return xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=n_readout, y=n_lines, z=1),
        fieldOfView_mm=xsd.fieldOfViewMm(x=n_readout * row, y=n_lines * column, z=thickness),
    )


if __name__ == "__main__":
    write_samples(Path(__file__).parent)
