"""Writes ISMRMRD files with the format's own package."""

from dataclasses import dataclass, field
from pathlib import Path

import ismrmrd
import numpy as np
from ismrmrd import xsd

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Header:
    """What the tests choose of an XML header; by default there is no oversampling."""

    matrix: tuple[int, int, int]
    recon_matrix: tuple[int, int, int] | None = None
    fov: Triple = (240.0, 180.0, 5.0)
    recon_fov: Triple | None = None
    centers: tuple[int, int] | None = None
    trajectory: xsd.trajectoryType = xsd.trajectoryType.CARTESIAN
    noise_bandwidth: float | None = None
    others: tuple["Header", ...] = ()
    """Further encodings."""

    def encoding(self) -> xsd.encodingType:
        centers = self.centers or (self.matrix[1] // 2, self.matrix[2] // 2)
        limits = [
            xsd.limitType(minimum=0, maximum=n - 1, center=center)
            for n, center in zip(self.matrix[1:], centers, strict=True)
        ]
        return xsd.encodingType(
            encodedSpace=_space(self.matrix, self.fov),
            reconSpace=_space(self.recon_matrix or self.matrix, self.recon_fov or self.fov),
            encodingLimits=xsd.encodingLimitsType(kspace_encoding_step_1=limits[0], kspace_encoding_step_2=limits[1]),
            trajectory=self.trajectory,
        )

    def to_xml(self) -> str:
        header = xsd.ismrmrdHeader(
            experimentalConditions=xsd.experimentalConditionsType(H1resonanceFrequency_Hz=123_000_000),
            acquisitionSystemInformation=xsd.acquisitionSystemInformationType(
                relativeReceiverNoiseBandwidth=self.noise_bandwidth
            ),
            encoding=[each.encoding() for each in (self, *self.others)],
        )
        return xsd.ToXML(header)


def _space(matrix: tuple[int, int, int], fov: Triple) -> xsd.encodingSpaceType:
    return xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(**dict(zip("xyz", matrix, strict=True))),
        fieldOfView_mm=xsd.fieldOfViewMm(**dict(zip("xyz", fov, strict=True))),
    )


@dataclass(frozen=True)
class Line:
    """One acquisition: samples of shape (coils, samples), and where its counters put it."""

    samples: np.ndarray
    line: int = 0
    partition: int = 0
    flags: tuple[int, ...] = ()
    center: int | None = None
    dwell_time: float = 5.0
    discard: tuple[int, int] = (0, 0)
    encoding: int = 0
    counters: dict[str, int] = field(default_factory=dict)

    def to_acquisition(self) -> ismrmrd.Acquisition:
        acquisition = ismrmrd.Acquisition.from_array(
            self.samples.astype(np.complex64),
            center_sample=self.samples.shape[1] // 2 if self.center is None else self.center,
            sample_time_us=self.dwell_time,
            discard_pre=self.discard[0],
            discard_post=self.discard[1],
            encoding_space_ref=self.encoding,
        )
        acquisition.idx.kspace_encode_step_1 = self.line
        acquisition.idx.kspace_encode_step_2 = self.partition
        for name, count in self.counters.items():
            setattr(acquisition.idx, name, count)
        for flag in self.flags:
            acquisition.set_flag(flag)
        return acquisition


def write_ismrmrd(path: Path, header: Header | str, lines: list[Line], group: str = "dataset") -> Path:
    with ismrmrd.Dataset(path, group, mode="a") as dataset:
        dataset.write_xml_header(header.to_xml() if isinstance(header, Header) else header)
        for line in lines:
            dataset.append_acquisition(line.to_acquisition())
    return path


def lines_of(kspace: np.ndarray, **counters: int) -> list[Line]:
    """Lines of 2-D k-space of shape (coils, readout, phase encodes)."""
    return [Line(kspace[:, :, line], line, counters=counters) for line in range(kspace.shape[2])]


def noise_lines(rng: np.random.Generator, n_coils: int, n_samples: int, dwell_time: float = 5.0) -> list[Line]:
    flags = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    return [Line(random_complex(rng, n_coils, n_samples), flags=flags, dwell_time=dwell_time) for _ in range(3)]


def random_complex(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def ifft_along(array: np.ndarray, axis: int) -> np.ndarray:
    """Centred orthonormal inverse Fourier transform along one axis, written from its definition."""
    n = array.shape[axis]
    places = np.arange(n) - n // 2
    matrix = np.exp(2j * np.pi * np.outer(places, places) / n) / np.sqrt(n)
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)


def fft_along(array: np.ndarray, axis: int) -> np.ndarray:
    n = array.shape[axis]
    places = np.arange(n) - n // 2
    matrix = np.exp(-2j * np.pi * np.outer(places, places) / n) / np.sqrt(n)
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)
