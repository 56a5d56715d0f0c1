"""What fields and kinds of settings are called on screen."""

_KINDS = {
    "as-acquired": "as acquired",
    "cg-sense": "CG-SENSE",
    "checkpoint": "own weights …",
    "espirit": "ESPIRiT",
    "exact": "exact, every voxel",
    "file": "from the file",
    "low-resolution": "low resolution",
    "measured": "as measured",
    "modl": "MoDL, random weights",
    "monte-carlo": "Monte Carlo",
    "poisson-disc": "Poisson disc",
    "random-2d": "random points",
    "random-lines": "random lines",
    "sketch": "Jacobian sketch",
    "unet": "U-Net, random weights",
    "unrolled": "unrolled, random weights",
    "varnet": "VarNet, random weights",
    "zero-filled": "zero-filled",
}


def title_of_kind(kind: str) -> str:
    """The name of a kind of choice."""
    return _KINDS.get(kind, kind)


def title_of_field(name: str) -> str:
    """The name of a setting: counts without their ``n_``."""
    return name.removeprefix("n_").replace("_", " ")
