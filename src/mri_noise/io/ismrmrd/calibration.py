"""Which acquisitions of an ISMRMRD file, other than those of a slice itself, show the centre of its k-space.

Coil maps need a fully sampled centre. A slice whose own k-space has none may have it elsewhere in its file: in a
separate reference, in an integrated reference that was measured in another repetition or with fewer averages, or in
repetitions whose lines, all together, leave no gaps.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from mri_noise.acquisition.coil_calibration import calibration_size
from mri_noise.io.ismrmrd.acquisitions import LOOPS, Entries
from mri_noise.io.ismrmrd.frames import Frame, Index, by_loops, fits, measured_alike, place, places
from mri_noise.io.ismrmrd.header import CartesianEncoding
from mri_noise.operators.fourier import central

_SLICE = LOOPS.index("slice")
_SAME_FIELD_OF_VIEW = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Lines of one slice, or slab, that fill the centre of k-space.

    Attributes
    ----------
    encoding
        In which the lines are placed.
    entries
        Each place of the centre at least once.
    loops
        Counters of what was measured, as in ``LOOPS``.
    size
        Lines and partitions of the centre.
    """

    encoding: CartesianEncoding
    entries: Entries
    loops: tuple[int, ...]
    size: tuple[int, int]


def calibrations(
    index: Index, reference: Entries, encodings: Mapping[int, CartesianEncoding], number: int
) -> tuple[Calibration | None, ...]:
    """Find for each frame the lines, measured for the same slice, that cover more of the centre than its own do.

    Those with most counters in common are taken, and of these the nearest repetition. ``number`` is the encoding of
    the frames.
    """
    own, members = encodings[number], {_loops_of(frame): frame for frame in index.frames}
    reference = reference[reference["active_channels"] == index.n_coils]
    found = [*_of_references(reference, members, encodings, number, index.volumetric)]
    found += _of_repetitions(index.frames, own, index.volumetric)
    extents = (_extent(_centre(frame.entries, own, index.volumetric)) for frame in index.frames)
    return tuple(_best(loops, extent, found) for loops, extent in zip(members, extents, strict=True))


def _best(loops: tuple[int, ...], extent: tuple[int, int], found: Iterable[Calibration]) -> Calibration | None:
    fitting = [each for each in found if each.loops[_SLICE] == loops[_SLICE] and _extent(each.size) > extent]
    return max(fitting, key=lambda each: _likeness(each.loops, loops), default=None)


def _likeness(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, int]:
    """How many counters agree beside that of the repetition, and how near the repetitions are."""
    return sum(x == y for x, y in zip(a[1:], b[1:], strict=True)), -abs(a[0] - b[0])


def _of_references(
    reference: Entries,
    frames: Mapping[tuple[int, ...], Frame],
    encodings: Mapping[int, CartesianEncoding],
    number: int,
    volumetric: bool,
) -> Iterator[Calibration]:
    """Separate references by themselves, and integrated ones with the lines of the image that they lie between."""
    for which, encoding in encodings.items():
        entries = reference[reference["encoding_space_ref"] == which]
        place(entries, encoding, volumetric)
        if _same_field_of_view(encoding, encodings[number], volumetric):
            for loops, lines in by_loops(entries[fits(entries, encoding)]).items():
                image = frames.get(loops) if which == number else None
                filling = lines if image is None else _with_image(lines, image, encoding)
                yield from _filled(filling, loops, encoding, volumetric)


def _with_image(lines: Entries, image: Frame, encoding: CartesianEncoding) -> Entries:
    integrated = np.isin(lines["row"], image.entries["row"])
    alike = measured_alike(lines, image.entries)
    repeated = np.isin(places(lines, encoding), places(image.entries, encoding)) & ~integrated
    if repeated.any() or not alike.any():
        return lines
    return np.concatenate([image.entries, lines[alike & ~integrated]])


def _of_repetitions(frames: Iterable[Frame], encoding: CartesianEncoding, volumetric: bool) -> Iterator[Calibration]:
    """All lines of a slice, whichever repetition or cardiac phase they were measured in."""
    together: dict[tuple[int, ...], list[Frame]] = {}
    for frame in frames:
        _repetition, number_in_set, _phase, *others = _loops_of(frame)
        together.setdefault((number_in_set, *others), []).append(frame)
    for several in together.values():
        entries = np.concatenate([frame.entries for frame in several])
        yield from _filled(entries, _loops_of(several[0]), encoding, volumetric)


def _filled(
    entries: Entries, loops: tuple[int, ...], encoding: CartesianEncoding, volumetric: bool
) -> Iterator[Calibration]:
    """Keep the lines of the fully sampled centre, in the order of the file; nothing if there is none."""
    size = _centre(entries, encoding, volumetric)
    if min(size) > 0:
        inside = np.ones(len(entries), dtype=np.bool_)
        for name, n, n_kept in zip(("line", "partition"), _grid(encoding, volumetric), size, strict=True):
            middle = central(n, n_kept)
            inside &= (entries[name] >= middle.start) & (entries[name] < middle.stop)
        yield Calibration(encoding, np.sort(entries[inside], order="row"), loops, size)


def _centre(entries: Entries, encoding: CartesianEncoding, volumetric: bool) -> tuple[int, int]:
    """Lines and partitions of the fully sampled centre."""
    measured = torch.zeros(_grid(encoding, volumetric), dtype=torch.bool)
    measured[entries["line"], entries["partition"]] = True
    return calibration_size(measured)


def _grid(encoding: CartesianEncoding, volumetric: bool) -> tuple[int, int]:
    return encoding.matrix[1], encoding.matrix[2] if volumetric else 1


def _extent(size: tuple[int, int]) -> tuple[int, int]:
    return min(size), size[0] * size[1]


def _loops_of(frame: Frame) -> tuple[int, ...]:
    return tuple(int(frame.entries[name][0]) for name in LOOPS)


def _same_field_of_view(a: CartesianEncoding, b: CartesianEncoding, volumetric: bool) -> bool:
    """Whether samples are as far apart in k-space; oversampling of the readout does not count."""
    if a.voxel_size is None or b.voxel_size is None:
        return a == b
    counts = ((each.n_readout, *each.matrix[1:]) for each in (a, b))
    first, second = (np.multiply(sizes, n) for sizes, n in zip((a.voxel_size, b.voxel_size), counts, strict=True))
    n_axes = 3 if volumetric else 2
    return bool(np.allclose(first[:n_axes], second[:n_axes], rtol=_SAME_FIELD_OF_VIEW, atol=0))
