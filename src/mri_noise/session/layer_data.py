"""From a result to the layers that show it: a pure function of a snapshot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mri_noise.arrays import Image
from mri_noise.readings import estimate_of, g_factor_of, in_object
from mri_noise.report import DIFFERENCE_COLOURS, MAP_COLOURS, bright
from mri_noise.result import Result
from mri_noise.session.components import ContrastLimits
from mri_noise.variance.estimate import Channel
from mri_noise.variance.maps import inverse_g_factor, snr, std_error

METADATA = "mri_noise"
"""The key of a layer's metadata under which its provenance is, as plain JSON values."""

METADATA_VERSION = 1
DATA_UNITS = "a.u."
"""Those of the data, which raw data do not name."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where voxels are.

    Attributes
    ----------
    scale, translate
        Size of a voxel and place of the first one, along slice, row and column, in ``units``.
    units
        ``mm``, or ``pixel`` where the file does not say.
    axis_labels
    """

    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str, ...]
    axis_labels: tuple[str, ...] = ("slice", "row", "column")


def geometry(voxel_size: tuple[float, float, float] | None, first_slice: int = 0) -> Geometry:
    """Where the voxels of slices are, from (slice, row, column) [mm]."""
    scale = voxel_size or (1.0, 1.0, 1.0)
    unit = "pixel" if voxel_size is None else "mm"
    return Geometry(scale, (first_slice * scale[0], 0.0, 0.0), (unit,) * 3)


@dataclass(frozen=True, slots=True)
class Look:
    """Colours, what they span, and whether the layer is visible at first."""

    colormap: str
    window: ContrastLimits
    visible: bool = True


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """An image layer, ready to be drawn.

    Attributes
    ----------
    key
        Which quantity it is: the same for every run.
    title, unit
        Its name, as in ``noise std [data units]``; no unit for pure numbers.
    data : shape (slices, rows, columns), or with coils behind the slices; real or complex; NumPy or lazy
    look
        Look of real data, and of the magnitude of complex data.
    geometry
    provenance
        Plain JSON values, with the version of their layout.
    """

    key: str
    title: str
    unit: str
    data: Any
    look: Look
    geometry: Geometry
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Title and unit."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


@dataclass(frozen=True, slots=True)
class Quantity:
    """A map that a result can show."""

    key: str
    title: str
    unit: str
    values: Callable[[Result], Tensor]
    colormap: str = MAP_COLOURS
    least_top: float = 0.0
    channel: Channel = "magnitude"

    def known(self, result: Result) -> bool:
        """Whether the method of the result computes what is shown."""
        return self.channel in estimate_of(result).channels


def _std_error(result: Result) -> Tensor:
    estimate = estimate_of(result)
    return std_error(estimate.variance_magnitude, estimate.standard_error_magnitude)


def _snr(result: Result) -> Tensor:
    return in_object(result, snr(result.image, estimate_of(result).variance_magnitude))


def _g(result: Result) -> Tensor:
    return in_object(result, g_factor_of(result))


def _inverse_g(result: Result) -> Tensor:
    return in_object(result, inverse_g_factor(g_factor_of(result)))


def _std(key: str, title: str, channel: Channel) -> Quantity:
    return Quantity(
        key, title, DATA_UNITS, lambda result: estimate_of(result).channels[channel].variance.sqrt(), channel=channel
    )


QUANTITIES = {
    each.key: each
    for each in (
        _std("std", "noise std", "magnitude"),
        _std("std_complex", "noise std, complex", "complex"),
        _std("std_real", "noise std, real", "real"),
        _std("std_imaginary", "noise std, imaginary", "imaginary"),
        Quantity("snr", "SNR", "", _snr, "viridis"),
        Quantity("g", "g-factor", "", _g, "turbo", least_top=2.0),
        Quantity("inverse_g", "1/g", "", _inverse_g, "turbo", least_top=1.0),
        Quantity("std_error", "error of noise std", DATA_UNITS, _std_error),
    )
}
"""Every map of a variance, by key."""

DEFAULT_QUANTITIES = ("std", "snr", "g")
ON_DEMAND_QUANTITIES = tuple(key for key in QUANTITIES if key not in DEFAULT_QUANTITIES)


def provenance_of(result: Result, key: str, run: str) -> dict[str, Any]:
    """What repeats a layer: plain JSON values."""
    estimate = result.estimate
    origin = result.provenance
    return {
        "version": METADATA_VERSION,
        "quantity": key,
        "run": run,
        "scan": origin.scan,
        "fingerprint": origin.fingerprint,
        "slice": result.index,
        "experiment": result.experiment.model_dump(mode="json"),
        "noise": result.noise.source,
        "n_samples": 0 if estimate is None else estimate.n_samples,
        "n_total": None if estimate is None else estimate.n_total,
        "n_evaluations": 0 if estimate is None else estimate.n_evaluations,
        "complete": result.complete,
        "device": origin.device,
        "versions": dict(origin.versions),
    }


def image_layers(result: Result, run: str, reference: Image | None = None) -> tuple[LayerSpec, ...]:
    """Zero-filled image and reconstruction; with a reference, that and the error against it."""
    top = bright(result.zero_filled.abs(), result.object)
    gray = Look("gray", (0.0, top), visible=False)
    title = result.experiment.reconstruction.label
    layers = [
        _layer(result, run, "zero_filled", "zero-filled", result.zero_filled, gray),
        _layer(result, run, "reconstruction", title, result.image, replace(gray, visible=True)),
    ]
    if reference is not None:
        error = result.image.abs() - reference.abs()
        span = bright(error.abs(), result.object) or top
        look = Look(DIFFERENCE_COLOURS, (-span, span), visible=False)
        layers.insert(0, _layer(result, run, "reference", "fully sampled", reference, gray))
        layers.append(_layer(result, run, "error", "error of magnitude", error, look))
    return tuple(layers)


def map_layers(result: Result, run: str, keys: Sequence[str] = DEFAULT_QUANTITIES) -> tuple[LayerSpec, ...]:
    """The noise maps of a result, of which the first of the default ones is seen; none before its first samples."""
    if result.estimate is None:
        return ()
    return tuple(map_layer(result, run, QUANTITIES[key], visible=key == DEFAULT_QUANTITIES[0]) for key in keys)


def map_layer(result: Result, run: str, quantity: Quantity, *, visible: bool = True) -> LayerSpec:
    """One noise map of a result."""
    values = quantity.values(result)
    top = max(quantity.least_top, bright(values.nan_to_num(nan=0.0, posinf=0.0), result.object)) or 1.0
    look = Look(quantity.colormap, (0.0, top), visible)
    return _layer(result, run, quantity.key, quantity.title, values, look, quantity.unit)


def correlation_layer(result: Result, run: str, voxel: tuple[int, int], correlation: Tensor) -> LayerSpec:
    """The noise correlation of one voxel with every other, between -1 and 1."""
    title = f"noise correlation with voxel {voxel[0]}, {voxel[1]}"
    return _layer(result, run, "correlation", title, correlation, Look(DIFFERENCE_COLOURS, (-1.0, 1.0)), "")


def difference_layer(result: Result, reference: Result, run: str) -> LayerSpec:
    """The difference of two magnitude standard deviations, in a symmetric window a fifth of the reference's."""
    sigma, truth = (QUANTITIES["std"].values(each) for each in (result, reference))
    top = 0.2 * bright(truth, result.object) or 1.0
    title = f"difference, {method_of(result)} - {method_of(reference)}"
    return _layer(result, run, "difference", title, sigma - truth, Look(DIFFERENCE_COLOURS, (-top, top)))


def method_of(result: Result) -> str:
    """Variance method and its number of samples."""
    estimate = estimate_of(result)
    return f"{result.experiment.variance.kind} ({estimate.n_samples})"


def _layer(  # noqa: PLR0917
    result: Result, run: str, key: str, title: str, values: Tensor, look: Look, unit: str = DATA_UNITS
) -> LayerSpec:
    where = geometry(result.provenance.voxel_size, result.index)
    return LayerSpec(key, title, unit, _plane(values), look, where, provenance_of(result, key, run))


def _plane(values: Tensor) -> NDArray[Any]:
    """Values of shape (rows, columns) as a stack of one slice, in single precision."""
    array = values.detach().cpu().resolve_conj().numpy()[None]
    return array.astype(np.complex64 if np.iscomplexobj(array) else np.float32)
