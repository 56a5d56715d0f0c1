"""ISMRMRD HDF5: acquisitions with an XML header, sorted into slices."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from mri_noise.acquisition.coil_calibration import calibration_size
from mri_noise.acquisition.noise import Noise, noise_from_samples
from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.arrays import CalibrationKSpace, KSpace, Mask
from mri_noise.io.fingerprint import fingerprint
from mri_noise.io.format import Format
from mri_noise.io.hdf5 import open_hdf5
from mri_noise.io.ismrmrd.acquisitions import Acquisitions, Entries, read_samples, sort_by_purpose
from mri_noise.io.ismrmrd.calibration import Calibration, calibrations
from mri_noise.io.ismrmrd.frames import Frame, Index, index_frames, places, repeats
from mri_noise.io.ismrmrd.header import (
    CartesianEncoding,
    cartesian_encoding,
    noise_bandwidth,
    read_header,
    usable_encodings,
)
from mri_noise.io.ismrmrd.measurements import Group, measurements_of, prescan_for, read_groups
from mri_noise.io.measurements import Measurement, acquisition_groups, choose, stated, told_apart
from mri_noise.io.readout import crop_readout, readout_ifft, remaining_samples, remove_oversampling, resample
from mri_noise.io.samples import as_complex64, label
from mri_noise.io.volume import Kept, VolumetricKSpace, temporary_array
from mri_noise.operators.fourier import central_block

_N_BLOCKS = 4
"""Centres for calibration that are kept: slices of several repetitions share them."""


@dataclass(frozen=True, slots=True)
class _Source:
    """An indexed measurement: what it takes to read any slice of it."""

    path: Path
    fingerprint: str
    group: str
    encoding: CartesianEncoding
    index: Index
    calibrations: tuple[Calibration | None, ...]
    prescan: Noise | None


def open_ismrmrd(path: Path, measurement: str | None = None) -> Scan:
    """Open a measurement, the one with most samples by default: 2-D slices, or 3-D slabs cut across the readout.

    Raises
    ------
    ValueError
        If there is none of that name, or its header or acquisitions are damaged, do not fit together, or are not
        Cartesian.
    """
    with open_hdf5(path) as file:
        groups = read_groups(file, path)
        measurements = measurements_of(file, groups, path)
        chosen = choose(measurements, measurement, path)
        identity = fingerprint(path, part=chosen.name if len(measurements) > 1 else "")
        try:
            scan = _open(file, groups, chosen, path, identity)
        except ValueError as error:
            raise ValueError(told_apart(str(error), chosen, measurements)) from None
    return stated(scan, chosen, measurements)


def _recognises(path: Path) -> bool:
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return bool(acquisition_groups(file))


ISMRMRD = Format("ISMRMRD HDF5 (mridata.org too)", _recognises, open_ismrmrd)


def list_ismrmrd(path: Path) -> list[Measurement]:
    """List the measurements of a file; none if nothing in it is of an image."""
    with open_hdf5(path) as file, suppress(ValueError):
        return measurements_of(file, read_groups(file, path), path)
    return []


def _open(file: h5py.File, groups: list[Group], chosen: Measurement, path: Path, identity: str) -> Scan:
    header = read_header(file[chosen.group]["xml"], path)
    encoding = cartesian_encoding(header, path, chosen.encoding)
    (entries,) = (group.entries for group in groups if group.name == chosen.group and group.entries is not None)
    acquired, prescan_group = _with_prescan(sort_by_purpose(entries, chosen.encoding), groups, chosen)
    index = index_frames(acquired, encoding, path)
    encodings = usable_encodings(header, path)
    found = calibrations(index, acquired.reference, encodings, chosen.encoding)
    elsewhere = "" if prescan_group == chosen.group else f", {prescan_group}"
    said = f"noise prescan of '{path.name}'{elsewhere}"
    prescan = _prescan(file[prescan_group]["data"], index.prescan, path, said)
    if elsewhere:
        encoding = _with_bandwidth_of(file[prescan_group]["xml"], encoding, path)
    source = _Source(path, identity, chosen.group, encoding, index, found, prescan)
    return _scan_of_slabs(source) if index.volumetric else _scan_of_slices(source)


def _with_prescan(acquired: Acquisitions, groups: list[Group], chosen: Measurement) -> tuple[Acquisitions, str]:
    """Take the noise measurements of the group, or those of a group that holds nothing else; and name it."""
    elsewhere = None
    if len(acquired.prescan) == 0:
        elsewhere = prescan_for(groups, chosen.group, int(acquired.imaging["active_channels"][0]))
    if elsewhere is None:
        return acquired, chosen.group
    return replace(acquired, prescan=elsewhere[1]), elsewhere[0]


def _scan_of_slices(source: _Source) -> Scan:
    size = source.encoding.voxel_size
    return Scan(
        name=source.path.name,
        layout="ISMRMRD HDF5",
        labels=tuple(label(frame.number, frame.loops) for frame in source.index.frames),
        n_coils=source.index.n_coils,
        matrix=(source.encoding.n_readout, source.encoding.matrix[1]),
        phase_encode_axes=(-1,),
        voxel_size=None if size is None else (size[2], size[0], size[1]),
        fingerprint=source.fingerprint,
        read=partial(_read_slice, source, Kept(partial(_block, source), _N_BLOCKS)),
        files=(source.path.absolute(),),
    )


def _read_slice(source: _Source, block: Callable[[Calibration], CalibrationKSpace | None], index: int) -> Slice:
    """Read the acquisitions of one 2-D slice."""
    frame, calibration = source.index.frames[index], source.calibrations[index]
    kspace, mask = _average(source, source.encoding, frame.entries, frame.n_averages)
    return Slice(
        kspace=as_complex64(kspace.numpy(), f"slice {index} of '{source.path}'"),
        mask=mask,
        noise=_noise(source, frame, share=1.0),
        calibration=None if calibration is None else block(calibration),
    )


def _average(source: _Source, encoding: CartesianEncoding, entries: Entries, n_averages: int) -> tuple[KSpace, Mask]:
    """Average samples that were measured so many times at least, and remove the oversampling of their readout."""
    n_samples, n_lines, _ = encoding.matrix
    lines = np.zeros((source.index.n_coils, n_lines, n_samples), dtype=np.complex64)
    n_measured = np.zeros((n_lines, n_samples), dtype=np.int64)
    with open_hdf5(source.path) as file:
        for entry, samples in read_samples(file[source.group]["data"], entries, source.path):
            place = (entry["line"], _columns(entry, n_samples))
            lines[:, *place] += samples
            n_measured[place] += 1
    mask = torch.from_numpy(n_measured >= n_averages)
    averaged = torch.from_numpy(lines / np.maximum(n_measured, 1).astype(np.float32)) * mask
    kept = mask[:, remaining_samples(n_samples, encoding.n_readout)].T.contiguous()
    return remove_oversampling(averaged, encoding.n_readout).mT * kept, kept


def _columns(entry: Any, n_samples: int) -> NDArray[np.int64]:
    """Where the samples of an acquisition go along the readout, which goes on at its start."""
    return np.arange(entry["start"], entry["start"] + entry["n_kept"]) % n_samples


def _block(source: _Source, calibration: Calibration) -> CalibrationKSpace | None:
    """Cut the fully sampled centre out of the lines for calibration; None if it shows nothing, or NaN."""
    kspace, mask = _average(source, calibration.encoding, calibration.entries, 1)
    return _central(kspace, calibration_size(mask))


def _central(kspace: KSpace, size: tuple[int, int]) -> CalibrationKSpace | None:
    block = central_block(kspace, size).contiguous()
    return block if bool(block.any()) and bool(torch.isfinite(torch.view_as_real(block)).all()) else None


def _scan_of_slabs(source: _Source) -> Scan:
    frames, n_readout = source.index.frames, source.encoding.n_readout
    _require_equal_readouts(source)
    several = len({frame.number for frame in frames}) > 1
    slabs = [((("slab", frame.number),) if several else ()) + frame.loops for frame in frames]
    return Scan(
        name=source.path.name,
        layout="ISMRMRD HDF5, 3-D",
        labels=tuple(label(position, slab) for slab in slabs for position in range(n_readout)),
        n_coils=source.index.n_coils,
        matrix=source.encoding.matrix[1:],
        phase_encode_axes=(-2, -1),
        voxel_size=source.encoding.voxel_size,
        fingerprint=source.fingerprint,
        read=partial(
            _read_across,
            source,
            Kept(partial(_slab, source)),
            Kept(partial(_calibration_slab, source)),
        ),
        files=(source.path.absolute(),),
    )


def _require_equal_readouts(source: _Source) -> None:
    """A partial readout is allowed if it is the same for all lines: its noise is then the same for all lines too."""
    for frame in source.index.frames:
        if len(np.unique(frame.entries[["start", "n_kept"]])) > 1:
            raise ValueError(
                f"the readouts of a 3-D acquisition should all sample the same part of k-space, but those of "
                f"'{source.path}' differ; convert the raw data anew"
            )


def _read_across(
    source: _Source,
    volume: Callable[[int], VolumetricKSpace],
    reference: Callable[[Calibration], VolumetricKSpace],
    index: int,
) -> Slice:
    """Read one position along the readout; the first to be read of a slab transforms the slab."""
    number, position = divmod(index, source.encoding.n_readout)
    frame, slab, calibration = source.index.frames[number], volume(number), source.calibrations[number]
    return Slice(
        kspace=as_complex64(slab.samples[position], f"slice {index} of '{source.path}'"),
        mask=slab.mask,
        noise=_noise(source, frame, share=float(frame.entries["n_kept"][0]) / source.encoding.matrix[0]),
        calibration=None if calibration is None else _block_across(reference(calibration), calibration, position),
    )


def _block_across(slab: VolumetricKSpace, calibration: Calibration, position: int) -> CalibrationKSpace | None:
    return _central(torch.from_numpy(np.array(slab.samples[position])), calibration.size)


def _slab(source: _Source, number: int) -> VolumetricKSpace:
    return _volume(source, source.encoding, source.index.frames[number].entries)


def _calibration_slab(source: _Source, calibration: Calibration) -> VolumetricKSpace:
    return _volume(source, calibration.encoding, calibration.entries)


def _volume(source: _Source, encoding: CartesianEncoding, entries: Entries) -> VolumetricKSpace:
    """Transform lines along the readout, one after the other, into a temporary file; repeated ones are averaged."""
    n_samples, n_lines, n_partitions = encoding.matrix
    n_readout, n_coils = source.encoding.n_readout, source.index.n_coils
    _, counts = repeats(places(entries, encoding))
    n_measured = dict(zip(entries["row"].tolist(), counts.tolist(), strict=True))
    hybrid = temporary_array((n_readout, n_coils, n_lines, n_partitions))
    mask = torch.zeros(n_lines, n_partitions, dtype=torch.bool)
    with open_hdf5(source.path) as file:
        for entry, samples in read_samples(file[source.group]["data"], entries, source.path):
            line = torch.zeros(n_coils, n_samples, dtype=torch.complex64)
            share = torch.from_numpy(samples / n_measured[int(entry["row"])])
            line[:, _columns(entry, n_samples)] = share
            profile = resample(crop_readout(readout_ifft(line), encoding.n_readout), n_readout)
            hybrid[:, :, entry["line"], entry["partition"]] += profile.T.numpy()
            mask[entry["line"], entry["partition"]] = True
    return VolumetricKSpace(hybrid, mask)


def _prescan(data: h5py.Dataset, entries: Entries, path: Path, said: str) -> Noise | None:
    """Covariance times dwell time, which no bandwidth changes: the noise of a sample has the variance of 1 / dwell."""
    if len(entries) == 0:
        return None
    samples = [values * np.sqrt(entry["sample_time_us"]) for entry, values in read_samples(data, entries, path)]
    return noise_from_samples(torch.from_numpy(np.concatenate(samples, axis=1)), said)


def _with_bandwidth_of(xml: h5py.Dataset, encoding: CartesianEncoding, path: Path) -> CartesianEncoding:
    """Take the receiver's bandwidth from the header of the prescan, which it attenuated, if that says it."""
    with suppress(ValueError):  # the prescan is as good without its header
        bandwidth = noise_bandwidth(read_header(xml, path))
        return encoding if bandwidth is None else replace(encoding, noise_bandwidth=bandwidth)
    return encoding


def _noise(source: _Source, frame: Frame, share: float) -> Noise | None:
    """Scale the prescan to the samples of a slice.

    Their variance is the prescan's, times the ratio of the dwell times (prescan / imaging), divided by the number of
    averages, and times the ``share`` of the readout that was sampled where the readout is transformed. A prescan is
    attenuated at the edges of the receiver's bandwidth, images without oversampling are not: they have the prescan's
    variance divided by the relative noise bandwidth (Kellman and McVeigh 2005, doi:10.1002/mrm.20713).
    """
    if source.prescan is None:
        return None
    encoding = source.encoding
    bandwidth = encoding.noise_bandwidth if encoding.n_readout < encoding.matrix[0] else 1.0
    dwell_time = float(frame.entries["sample_time_us"][0])
    factor = share / (dwell_time * frame.n_averages * bandwidth)
    return source.prescan.scaled(factor)
