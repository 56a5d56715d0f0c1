"""What the user prefers: napari's Preferences > Plugins > MRI noise."""

from dataclasses import replace
from typing import Any

from napari.settings import get_plugin_settings

from mri_noise.acquisition.masks import Undersampling
from mri_noise.acquisition.scan import Slice
from mri_noise.experiment import Experiment
from mri_noise.session.layer_data import LayerSpec
from mri_noise.session.models import model_of_title
from mri_noise.session.scans import suggested_undersampling

PLUGIN = "napari-mri-noise"


def preferences() -> Any:
    """The sections ``defaults`` and ``colours`` of the manifest, as napari keeps them."""
    return get_plugin_settings(PLUGIN)


def preferred_experiment() -> Experiment:
    """What a new window starts with."""
    chosen = preferences().defaults
    return Experiment.parse(
        {
            "device": str(chosen.device),
            "reconstruction": model_of_title(str(chosen.model)),
            "variance": {"kind": "lattice", "target": float(chosen.target) / 100},
        }
    )


def first_undersampling(acquired: Slice) -> Undersampling:
    """What a new window starts with for a scan: undersampling where all of k-space was acquired."""
    acceleration = float(preferences().defaults.acceleration)
    return suggested_undersampling(acquired, acceleration)


def shaped(spec: LayerSpec) -> LayerSpec:
    """A layer in the preferred colours: those of noise maps and of g-factors can be chosen."""
    colours = preferences().colours
    if spec.key in ("g", "inverse_g"):
        return replace(spec, look=replace(spec.look, colormap=str(colours.g_factor)))
    if spec.key.startswith("std"):
        return replace(spec, look=replace(spec.look, colormap=str(colours.noise)))
    return spec
