"""What a saved result says of its slices beside their arrays, and its way to JSON and back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor

from mri_noise.experiment import Experiment
from mri_noise.result import Provenance, Result, RoiReadout
from mri_noise.settings import Origin, SettingsError
from mri_noise.variance.check.linearity import Linearity
from mri_noise.variance.estimate import Channel, ChannelVariance, VarianceEstimate
from mri_noise.variance.plan import Plan

CHANNEL_DATASETS: dict[Channel, tuple[str, str]] = {
    "magnitude": ("variance_magnitude", "standard_error_magnitude"),
    "complex": ("variance", "standard_error"),
    "real": ("variance_real", "standard_error_real"),
    "imaginary": ("variance_imaginary", "standard_error_imaginary"),
}
"""What a file calls the variance of each channel and its standard error."""
OTHER_MAPS = ("prior_weight", "quick_look")
"""Fields of a ``VarianceEstimate`` that are None where a method, or a map that is not finished, has none."""
VARIANCE_MAPS = (*(name for names in CHANNEL_DATASETS.values() for name in names), *OTHER_MAPS)
"""All maps of a ``VarianceEstimate``, by their names in a file."""

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class SliceSummary:
    """The numbers and names of one slice, as in its ``Result``, its ``VarianceEstimate`` and its ``Noise``."""

    index: Count
    n_samples: Count
    n_evaluations: Count
    n_total: Count
    noise_source: str
    rois: tuple[RoiReadout, ...]
    plan: Plan | None
    linearity: Linearity | None
    noise_samples: Annotated[int, Field(ge=1)] | None = None
    unexplained: Annotated[float, Field(ge=0, le=1)] | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The experiment of some slices, and one entry for each of them in ``slices`` and in ``provenance``."""

    experiment: Experiment
    slices: tuple[SliceSummary, ...]
    provenance: tuple[Provenance, ...]


@dataclass(frozen=True, slots=True)
class _Plain:
    """A summary with its experiment as plain values, which ``Experiment.parse`` explains better than pydantic."""

    experiment: dict[str, Any]
    slices: tuple[SliceSummary, ...]
    provenance: tuple[Provenance, ...]


_PLAIN = TypeAdapter(_Plain)


def estimated(results: Iterable[Result]) -> Iterator[tuple[Result, VarianceEstimate]]:
    """Pass on results and their variances, as long as they can be saved together.

    Raises
    ------
    ValueError
        If there are none, or one has no variance, or another experiment, scan, shape or set of maps than the first.
    """
    first = None
    for result in results:
        if result.estimate is None:
            raise ValueError(f"slice {result.index} has no variance yet; save the results of run() that have one")
        first = _common(result) if first is None else first
        differences = [name for name, value in _common(result).items() if value != first[name]]
        if differences:
            raise ValueError(
                f"slice {result.index} has another {differences[0]} than the slices before it; save it to its own file"
            )
        yield result, result.estimate
    if first is None:
        raise ValueError("there are no results to save; choose at least one slice")


def _common(result: Result) -> dict[str, Any]:
    return {
        "experiment": result.experiment,
        "scan": result.provenance.fingerprint,
        "image shape": result.image.shape,
        "number of coils": result.coil_maps.shape[0],
        "set of maps": None if result.estimate is None else tuple(variance_maps(result.estimate)),
    }


def variance_maps(estimate: VarianceEstimate) -> dict[str, Tensor]:
    """The maps of an estimate, by their names in a file."""
    maps = {
        name: values
        for channel, names in CHANNEL_DATASETS.items()
        if channel in estimate.channels
        for name, values in zip(names, estimate.channels[channel], strict=True)
    }
    others = {name: getattr(estimate, name) for name in OTHER_MAPS}
    return maps | {name: values for name, values in others.items() if values is not None}


def channels_of(maps: Mapping[str, Tensor]) -> dict[Channel, ChannelVariance]:
    """The variances among the maps of a file, by their channels."""
    return {
        channel: ChannelVariance(*(maps[name] for name in names))
        for channel, names in CHANNEL_DATASETS.items()
        if names[0] in maps
    }


def summarize(result: Result, estimate: VarianceEstimate) -> SliceSummary:
    """Return what is said of one slice beside its arrays and its provenance."""
    return SliceSummary(
        index=result.index,
        n_samples=estimate.n_samples,
        n_evaluations=estimate.n_evaluations,
        n_total=estimate.n_total,
        noise_source=result.noise.source,
        rois=result.rois,
        plan=estimate.plan,
        linearity=result.linearity,
        noise_samples=result.noise.n_samples,
        unexplained=result.unexplained,
    )


def to_plain(summary: Summary) -> dict[str, Any]:
    """Return plain values, which JSON can hold; complex numbers are text such as ``1+2j``."""
    plain = _Plain(summary.experiment.model_dump(mode="json"), summary.slices, summary.provenance)
    return _PLAIN.dump_python(plain, mode="json")


def from_plain(values: Mapping[str, Any], file: str) -> Summary:
    """Rebuild a summary from plain values of unknown origin, found in ``file``.

    Raises
    ------
    ValueError
        One sentence: what does not fit.
    """
    try:
        plain = _PLAIN.validate_python(values)
        experiment = Experiment.parse(plain.experiment, Origin(is_file=True, keeps_absent=True))
    except SettingsError as error:
        raise ValueError(f"the experiment in '{file}' is not one of this version of mri-noise: {error}") from None
    except ValidationError as error:
        complaint = error.errors()[0]
        where = ".".join(str(part) for part in complaint["loc"])
        raise damaged(file, f"{where}: {complaint['msg']}") from None
    if not plain.slices or len(plain.slices) != len(plain.provenance):
        raise damaged(file, f"it names {len(plain.slices)} slices and the provenance of {len(plain.provenance)}")
    return Summary(experiment, plain.slices, plain.provenance)


def damaged(file: str, what: str) -> ValueError:
    """Return the error of a file that is of our format and yet not as we write it."""
    return ValueError(f"'{file}' is a damaged result of mri-noise ({what}); compute it again or restore a copy")
