"""Results to HDF5 and back, bit for bit; written one slice at a time."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic_core import from_json
from torch import Tensor

from mri_noise.acquisition.noise import Noise
from mri_noise.atomic import Draft, replacing
from mri_noise.choices import absences
from mri_noise.experiment import Experiment
from mri_noise.io.hdf5 import Unraised, open_hdf5
from mri_noise.io.summary import (
    CHANNEL_DATASETS,
    OTHER_MAPS,
    VARIANCE_MAPS,
    SliceSummary,
    Summary,
    channels_of,
    damaged,
    estimated,
    from_plain,
    summarize,
    to_plain,
    variance_maps,
)
from mri_noise.result import Provenance, Result
from mri_noise.signals import held
from mri_noise.variance.closed_form import fully_sampled_variance
from mri_noise.variance.estimate import VarianceEstimate

FORMAT = "mri-noise result"
FORMAT_VERSION = 2

_IMAGE = ("slice", "row", "column")
_DATASETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "image": ("complex", _IMAGE),
    "zero_filled": ("complex", _IMAGE),
    **dict.fromkeys(VARIANCE_MAPS, ("real", _IMAGE)),
    "mask": ("boolean", _IMAGE),
    "coil_maps": ("complex", ("slice", "coil", "row", "column")),
    "noise_covariance": ("complex", ("slice", "coil", "coil")),
    "object": ("boolean", _IMAGE),
    "quick_look": ("boolean", _IMAGE),
}
_TYPES = {"complex": ("complex64", "complex128"), "real": ("float32", "float64"), "boolean": ("bool",)}
_ATTRIBUTES = ("experiment", "slices", "provenance")

_WORTH_COMPRESSING = ("mask", "object", "quick_look", "coil_maps")
_MOST_COMPRESSION = 1100  # deflate reaches 1032


def save_results(results: Iterable[Result], path: Path | str) -> None:
    """Write one result of each slice to an HDF5 file, as they come; ``docs/formats.md`` says what is where.

    The file is complete or absent: it takes its name, and the place of a former one, when the last slice is in.

    Raises
    ------
    ValueError
        In one sentence: if the file cannot be written (before the first result is asked for), or the results
        cannot be saved together.
    """
    slices: list[SliceSummary] = []
    provenance: list[Provenance] = []
    with replacing(Path(path)) as draft:
        for result, estimate in estimated(results):
            with _writing(draft, "r+" if slices else "w") as file:
                for name, tensor in _tensors(result, estimate).items():
                    _append(file, name, tensor.cpu().resolve_conj().numpy(), len(slices))
            slices.append(summarize(result, estimate))
            provenance.append(result.provenance)
            experiment = result.experiment
        summary = Summary(experiment, tuple(slices), tuple(provenance))
        with _writing(draft, "r+") as file:
            file.attrs.update({"format": FORMAT, "format_version": FORMAT_VERSION})
            file.attrs.update({name: json.dumps(value) for name, value in to_plain(summary).items()})


def load_results(path: Path | str) -> list[Result]:
    """Read what :func:`save_results` has written, onto the CPU.

    Raises
    ------
    ValueError
        In one sentence: if the file is not a sound result of this version of the format.
    """
    with open_hdf5(path) as file:
        summary = _read_summary(file)
        datasets = {name: _dataset(file, name) for name in _DATASETS if name not in _absent(file)}
        _require_matching_shapes(file, datasets, len(summary.slices))
        return [_read_slice(datasets, summary, position) for position in range(len(summary.slices))]


@dataclass(frozen=True, slots=True)
class SavedExperiment:
    """What repeats a result: experiment, slices, the number of threads that ordered its sums, and the measurement.

    ``missing`` says what of the experiment is not installed here; it is empty if all is.
    """

    experiment: Experiment
    slices: tuple[int, ...]
    n_threads: int
    measurement: str = ""
    missing: str = ""


def load_experiment(path: Path | str) -> SavedExperiment:
    """Read what repeats a saved result.

    Raises
    ------
    ValueError
        In one sentence: if the file is not a sound result of this version of the format.
    """
    with open_hdf5(path) as file:
        summary = _read_summary(file)
    slices = tuple(of_slice.index for of_slice in summary.slices)
    first = summary.provenance[0]
    missing = absences(summary.experiment, first.providers)
    return SavedExperiment(summary.experiment, slices, first.n_threads, first.measurement, missing)


@contextmanager
def _writing(draft: Draft, mode: str) -> Iterator[h5py.File]:
    """Open the file as long as something is written, and no longer; ValueError if that fails."""
    try:
        with held(), h5py.File(Unraised(draft), mode) as file:
            yield file
    finally:
        draft.check()


def _tensors(result: Result, estimate: VarianceEstimate) -> dict[str, Tensor]:
    return {
        "image": result.image,
        "zero_filled": result.zero_filled,
        **variance_maps(estimate),
        "mask": result.mask,
        "coil_maps": result.coil_maps,
        "noise_covariance": result.noise.covariance,
        "object": result.object,
    }


def _append(file: h5py.File, name: str, array: NDArray[Any], position: int) -> None:
    """Add a slice to a dataset, which the first slice makes; each image plane is a chunk of its own."""
    if position == 0:
        filters = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if name in _WORTH_COMPRESSING else {}
        file.create_dataset(
            name,
            data=array[None],
            maxshape=(None, *array.shape),
            chunks=(1,) * (array.ndim - 1) + array.shape[-2:],
            **filters,
        )
    else:
        file[name].resize(position + 1, axis=0)
        file[name][position] = array


def _read_summary(file: h5py.File) -> Summary:
    if _attribute(file, "format") != FORMAT:
        raise ValueError(
            f"'{file.filename}' is not a result of mri-noise; give a file that 'mri-noise run' has written"
        )
    version = _attribute(file, "format_version")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"'{file.filename}' is a result in version {version} of the format and this mri-noise reads version "
            f"{FORMAT_VERSION}; read it with the mri-noise that its provenance names"
        )
    texts = {name: _attribute(file, name) for name in _ATTRIBUTES}
    try:
        values = {name: from_json(text) for name, text in texts.items() if isinstance(text, str)}
    except ValueError as error:
        raise damaged(file.filename, f"its attributes are not JSON: {error}") from None
    return from_plain(values, file.filename)


def _absent(file: h5py.File) -> set[str]:
    """The maps that the method did not compute: variances with their standard errors, and what not all maps have."""
    optional = [*CHANNEL_DATASETS.values(), *((name,) for name in OTHER_MAPS)]
    absent = [names for names in optional if not any(name in file for name in names)]
    return {name for names in absent for name in names} - set(CHANNEL_DATASETS["magnitude"])


def _attribute(file: h5py.File, name: str) -> str | int | None:
    """An attribute that holds one text or one integer; None where it is absent or holds anything else."""
    try:
        value = file.attrs.get(name)
    except (TypeError, ValueError):
        return None
    return int(value) if isinstance(value, np.integer) else value if isinstance(value, str) else None


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset of the right type, with as many axes as it should have, that holds what it declares."""
    kind, axes = _DATASETS[name]
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise damaged(file.filename, f"it has no dataset '{name}'")
    if _type_of(dataset) not in _TYPES[kind] or dataset.ndim != len(axes):
        raise damaged(file.filename, f"'{name}' should be {kind} with axes {', '.join(axes)}")
    if dataset.nbytes > _MOST_COMPRESSION * dataset.id.get_storage_size():
        raise damaged(file.filename, f"'{name}' holds less than it declares")
    return dataset


def _type_of(dataset: h5py.Dataset) -> str | None:
    """NumPy's name of a dataset's type in this machine's byte order; None for other types."""
    try:
        return dataset.dtype.name if dataset.dtype.isnative else None
    except TypeError:
        return None


def _require_matching_shapes(file: h5py.File, datasets: dict[str, h5py.Dataset], n_slices: int) -> None:
    sizes = {"slice": n_slices}
    for name, dataset in datasets.items():
        for axis, size in zip(_DATASETS[name][1], dataset.shape, strict=True):
            if size != sizes.setdefault(axis, size):
                raise damaged(file.filename, f"'{name}' has {size} in axis {axis} where {sizes[axis]} are expected")


def _read_slice(datasets: dict[str, h5py.Dataset], summary: Summary, position: int) -> Result:
    tensors = {name: torch.from_numpy(dataset[position]) for name, dataset in datasets.items()}
    of_slice = summary.slices[position]
    estimate = VarianceEstimate(
        channels_of(tensors),
        n_samples=of_slice.n_samples,
        n_evaluations=of_slice.n_evaluations,
        n_total=of_slice.n_total,
        plan=of_slice.plan,
        **{name: tensors[name] for name in OTHER_MAPS if name in tensors},
    )
    noise = Noise(tensors["noise_covariance"], of_slice.noise_source, of_slice.noise_samples)
    return Result(
        index=of_slice.index,
        image=tensors["image"],
        zero_filled=tensors["zero_filled"],
        estimate=estimate,
        mask=tensors["mask"],
        coil_maps=tensors["coil_maps"],
        noise=noise,
        full_variance=fully_sampled_variance(tensors["coil_maps"], noise),
        object=tensors["object"],
        linearity=of_slice.linearity,
        rois=of_slice.rois,
        unexplained=of_slice.unexplained,
        experiment=summary.experiment,
        provenance=summary.provenance[position],
    )
