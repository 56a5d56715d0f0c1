"""What fields and kinds of settings are called on screen."""

from mri_noise.session.models import KIND_TITLES

_KINDS = {
    **KIND_TITLES,
    "as-acquired": "as acquired",
    "espirit": "ESPIRiT",
    "exact": "exact, every voxel",
    "file": "from the file",
    "lattice": "lattice probing",
    "lattice-complex": "lattice probing, complex",
    "low-resolution": "low resolution",
    "measured": "as measured",
    "monte-carlo": "Monte Carlo",
    "poisson-disc": "Poisson disc",
    "random-2d": "random points",
    "random-lines": "random lines",
    "sketch": "Jacobian sketch",
}


_FIELDS = {
    "coils": "coil maps",
    "max_iterations": "iterations",
    "noise": "noise level",
    "object": "object mask",
    "reconstruction": "model",
    "undersampling": "mask",
    "variance": "method",
}


def title_of_kind(kind: str) -> str:
    """The name of a kind of choice."""
    return _KINDS.get(kind, kind)


def title_of_field(name: str) -> str:
    """The name of a setting: counts without their ``n_``."""
    return _FIELDS.get(name, name.removeprefix("n_").replace("_", " "))
