"""A training of seconds, and what it leaves on the disk."""

from pathlib import Path
from typing import Any

import torch

from mri_noise.recon.weights.weights_file import read_weights
from mri_noise.settings import override
from mri_noise.training.loop.checkpoints import by_age, read_checkpoint
from mri_noise.training.recipe import Recipe
from tests.training.acquisitions import write_scan


def tiny_recipe(folder: Path, *assignments: str) -> Recipe:
    """Ten steps of a U-Net of two channels on three scans, which are written to a folder."""
    scans = folder / "scans"
    if not scans.exists():
        scans.mkdir(parents=True)
        for name in "abc":
            write_scan(scans / f"{name}.h5", 2, size=24)
    recipe = Recipe.parse(
        {
            "name": "tiny",
            "network": {"kind": "unet", "n_channels": 2, "n_pools": 1},
            "data": {
                "source": {"kind": "scans", "paths": [scans], "coils": {"kind": "low-resolution"}},
                "draws": {"masks": {"n_calibration": [4, 6]}},
                "n_validation": 2,
                "cache": folder / "cache",
            },
            "trainer": {
                "n_steps": 10,
                "batch_size": 2,
                "log_interval": 5,
                "checkpoint_interval": 3,
                "validation_interval": 4,
            },
            "machine": {"accelerator": "cpu"},
        }
    )
    return override(recipe, assignments)


def outcome(folder: Path) -> dict[str, Any]:
    """The state at the end of a training, and the file of weights."""
    state = read_checkpoint(by_age(folder / "checkpoints")[0])
    assert state is not None
    weights = read_weights(folder / "tiny.safetensors")
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "sums", "global_step")
    return {**{name: state[name] for name in kept}, "weights": weights.tensors, "metadata": weights.metadata}


def equal(a: Any, b: Any) -> bool:
    """Whether two nested structures are the same, bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)
