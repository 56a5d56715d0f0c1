"""The XML header of ISMRMRD: matrix, field of view, centre of k-space."""

import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from ismrmrd.xsd import encodingSpaceType, encodingType, ismrmrdHeader, limitType
from xsdata.exceptions import ParserError
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.formats.dataclass.parsers.handlers import XmlEventHandler

_PARSER = XmlParser(config=ParserConfig(fail_on_unknown_properties=False), handler=XmlEventHandler)
"""Python's own XML parser; that of lxml, where it is installed, would mend a header that breaks off."""


@dataclass(frozen=True, slots=True)
class CartesianEncoding:
    """How the acquisitions of a file fill k-space.

    Attributes
    ----------
    matrix
        Encoded samples along (readout, first phase encode, second phase encode).
    n_readout
        Samples along the readout once its oversampling is removed.
    centers
        Loop counters of the k-space centre along the two phase encodes.
    noise_bandwidth
        Noise-equivalent bandwidth of the receiver as a fraction of its sampling bandwidth.
    voxel_size
        Along the axes of ``matrix`` [mm]; None where the header has no field of view.
    """

    matrix: tuple[int, int, int]
    n_readout: int
    centers: tuple[int, int]
    noise_bandwidth: float
    voxel_size: tuple[float, float, float] | None


def read_header(dataset: h5py.Dataset, path: Path) -> ismrmrdHeader:
    """Read the header; elements that the schema does not know are skipped.

    Raises
    ------
    ValueError
        If it is not an ISMRMRD header, or declares a document type (a header needs none, and entities can do harm).
    """
    if h5py.check_string_dtype(dataset.dtype) is None or dataset.size != 1:
        raise ValueError(f"'{dataset.name}' in '{path}' should be one text, the header; convert the raw data anew")
    xml = np.ravel(dataset[()])[0]
    text = xml.decode("utf-8", "replace") if isinstance(xml, bytes) else str(xml)
    if "<!DOCTYPE" in text:
        raise ValueError(f"the header of '{path}' is refused because it declares a document type; remove it")
    try:
        with warnings.catch_warnings(action="ignore"):
            header = _PARSER.from_string(text, ismrmrdHeader)
    except (ParserError, LookupError, TypeError, ValueError):
        raise ValueError(
            f"the header of '{path}' is not a complete ISMRMRD header; convert the raw data anew"
        ) from None
    if not header.encoding:
        raise ValueError(f"the header of '{path}' describes no encoding; convert the raw data anew")
    return header


def cartesian_encoding(header: ismrmrdHeader, path: Path, number: int = 0) -> CartesianEncoding:
    """Take an encoding of the header, the first by default.

    Raises
    ------
    ValueError
        If there is none of that number, or it is not Cartesian, or has values that are not the numbers they should be.
    """
    if number >= len(header.encoding):
        raise ValueError(
            f"acquisitions of '{path}' are of encoding {number}, and its header describes no more than "
            f"{len(header.encoding)}; convert the raw data anew"
        )
    encoding = header.encoding[number]
    trajectory = getattr(encoding.trajectory, "value", encoding.trajectory)
    if trajectory != "cartesian":
        raise ValueError(f"'{path}' has a {trajectory} trajectory; only Cartesian acquisitions can be read")
    try:
        matrix = _matrix(encoding.encodedSpace)
        limits = encoding.encodingLimits
        return CartesianEncoding(
            matrix=matrix,
            n_readout=_without_oversampling(encoding, matrix[0]),
            centers=(
                _center(limits.kspace_encoding_step_1, matrix[1]),
                _center(limits.kspace_encoding_step_2, matrix[2]),
            ),
            noise_bandwidth=noise_bandwidth(header) or 1.0,
            voxel_size=_voxel_size(encoding.encodedSpace, matrix[:2]),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"the header of '{path}' has an unusable encoding: {error}") from None


def voxel_size(header: ismrmrdHeader, samples: tuple[int, int]) -> tuple[float, float, float] | None:
    """Divide the encoded field of view by the k-space samples, given for readout and first phase encode.

    Returns lengths along (readout, first phase encode, second phase encode or slice) [mm].
    """
    return _voxel_size(header.encoding[0].encodedSpace, samples)


def _voxel_size(space: encodingSpaceType, samples: tuple[int, int]) -> tuple[float, float, float] | None:
    sides = _field_of_view(space)
    counts = (*samples, _matrix(space)[2])
    if not all(0 < side < float("inf") for side in sides):
        return None
    x, y, z = (side / count for side, count in zip(sides, counts, strict=True))
    return x, y, z


def usable_encodings(header: ismrmrdHeader, path: Path) -> dict[int, CartesianEncoding]:
    """Take all encodings of the header that are Cartesian and sound, by their numbers."""
    usable = {}
    for number in range(len(header.encoding)):
        with suppress(ValueError):
            usable[number] = cartesian_encoding(header, path, number)
    return usable


def _matrix(space: encodingSpaceType) -> tuple[int, int, int]:
    x, y, z = (int(getattr(space.matrixSize, axis)) for axis in "xyz")
    if min(x, y, z) < 1:
        raise ValueError(f"the encoded matrix should be at least 1 x 1 x 1, got {x} x {y} x {z}")
    return x, y, z


def _field_of_view(space: encodingSpaceType) -> tuple[float, float, float]:
    x, y, z = (float(getattr(space.fieldOfView_mm, axis)) for axis in "xyz")
    return x, y, z


def _without_oversampling(encoding: encodingType, n_samples: int) -> int:
    """Samples that a line has left when its field of view is cut from the encoded to the reconstructed one."""
    encoded, wanted = (_field_of_view(space)[0] for space in (encoding.encodedSpace, encoding.reconSpace))
    return max(1, round(n_samples * wanted / encoded)) if 0 < wanted < encoded else n_samples


def _center(limit: limitType | None, n_samples: int) -> int:
    """Counter of the k-space centre; the middle where the header leaves the limits at their defaults."""
    return n_samples // 2 if limit is None or int(limit.maximum) == 0 else int(limit.center)


def noise_bandwidth(header: ismrmrdHeader) -> float | None:
    """Noise-equivalent bandwidth of the receiver as a fraction of its sampling bandwidth; None if it is not said."""
    system = header.acquisitionSystemInformation
    bandwidth = None if system is None else system.relativeReceiverNoiseBandwidth
    return None if bandwidth is None or not float(bandwidth) > 0 else float(bandwidth)
