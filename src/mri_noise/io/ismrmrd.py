"""ISMRMRD HDF5: acquisitions with an XML header, sorted into slices."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import h5py
import numpy as np
import torch

from mri_noise.io.fingerprint import fingerprint
from mri_noise.io.hdf5 import open_hdf5
from mri_noise.io.ismrmrd_acquisitions import Entries, Frame, Index, index_acquisitions, read_samples
from mri_noise.io.ismrmrd_header import CartesianEncoding, cartesian_encoding, read_header
from mri_noise.io.readout import crop_readout, readout_ifft, remaining_samples, remove_oversampling
from mri_noise.io.samples import as_complex64, label
from mri_noise.io.volume import Volume, temporary_array
from mri_noise.noise import Noise, noise_from_samples
from mri_noise.scan import Scan, Slice


@dataclass(frozen=True, slots=True)
class _Source:
    """An indexed file: what it takes to read any slice of it."""

    path: Path
    group: str
    encoding: CartesianEncoding
    index: Index
    prescan: Noise | None


def open_ismrmrd(path: Path, group: str) -> Scan:
    """Open the acquisitions in a group with ``xml`` and ``data``: 2-D slices, or 3-D slabs cut across the readout.

    Raises
    ------
    ValueError
        If header or acquisitions are damaged, do not fit together, or are not Cartesian.
    """
    with open_hdf5(path) as file:
        header = read_header(file[group]["xml"], path)
        encoding = cartesian_encoding(header, path)
        data = file[group]["data"]
        index = index_acquisitions(data, encoding, path)
        prescan = _prescan(data, index.prescan, path)
    source = _Source(path, group, encoding, index, prescan)
    return _scan_of_slabs(source) if index.volumetric else _scan_of_slices(source)


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
        fingerprint=fingerprint(source.path),
        read=partial(_read_slice, source),
        files=(source.path.absolute(),),
    )


def _read_slice(source: _Source, index: int) -> Slice:
    """Read the acquisitions of one 2-D slice, average them and remove the oversampling of their readout."""
    frame, n_readout = source.index.frames[index], source.encoding.n_readout
    n_samples, n_lines, _ = source.encoding.matrix
    lines = np.zeros((source.index.n_coils, n_lines, n_samples), dtype=np.complex64)
    n_measured = np.zeros((n_lines, n_samples), dtype=np.int64)
    with open_hdf5(source.path) as file:
        for entry, samples in read_samples(file[source.group]["data"], frame.entries, source.path):
            place = (entry["line"], slice(entry["start"], entry["start"] + entry["n_kept"]))
            lines[:, *place] += samples
            n_measured[place] += 1
    mask = torch.from_numpy(n_measured == frame.n_averages)
    averaged = torch.from_numpy(lines / np.float32(frame.n_averages)) * mask
    kept = mask[:, remaining_samples(n_samples, n_readout)].T.contiguous()
    kspace = remove_oversampling(averaged, n_readout).mT * kept
    return Slice(
        kspace=as_complex64(kspace.numpy(), f"slice {index} of '{source.path}'"),
        mask=kept,
        noise=_noise(source, frame, share=1.0),
    )


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
        fingerprint=fingerprint(source.path),
        read=partial(_read_across, source, lru_cache(maxsize=1)(partial(_volume, source))),
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


def _read_across(source: _Source, volume: Callable[[int], Volume], index: int) -> Slice:
    """Read one position along the readout; the first to be read of a slab transforms the slab."""
    number, position = divmod(index, source.encoding.n_readout)
    frame, slab = source.index.frames[number], volume(number)
    return Slice(
        kspace=as_complex64(slab.samples[position], f"slice {index} of '{source.path}'"),
        mask=slab.mask,
        noise=_noise(source, frame, share=float(frame.entries["n_kept"][0]) / source.encoding.matrix[0]),
    )


def _volume(source: _Source, number: int) -> Volume:
    """Transform the lines of a slab along the readout, one after the other, into a temporary file."""
    frame, (n_samples, n_lines, n_partitions) = source.index.frames[number], source.encoding.matrix
    hybrid = temporary_array((source.encoding.n_readout, source.index.n_coils, n_lines, n_partitions))
    mask = torch.zeros(n_lines, n_partitions, dtype=torch.bool)
    line = torch.zeros(source.index.n_coils, n_samples, dtype=torch.complex64)
    with open_hdf5(source.path) as file:
        for entry, samples in read_samples(file[source.group]["data"], frame.entries, source.path):
            line[:, entry["start"] : entry["start"] + entry["n_kept"]] = torch.from_numpy(samples / frame.n_averages)
            profile = crop_readout(readout_ifft(line), source.encoding.n_readout)
            hybrid[:, :, entry["line"], entry["partition"]] += profile.T.numpy()
            mask[entry["line"], entry["partition"]] = True
    return Volume(hybrid, mask)


def _prescan(data: h5py.Dataset, entries: Entries, path: Path) -> Noise | None:
    """Covariance times dwell time, which no bandwidth changes: the noise of a sample has the variance of 1 / dwell."""
    if len(entries) == 0:
        return None
    samples = [values * np.sqrt(entry["sample_time_us"]) for entry, values in read_samples(data, entries, path)]
    return noise_from_samples(torch.from_numpy(np.concatenate(samples, axis=1)), f"noise prescan of '{path.name}'")


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
    return Noise(factor * source.prescan.covariance, source.prescan.source)
