"""The reconstructions that a menu offers by name."""

from importlib.resources import as_file, files
from pathlib import Path

from mri_noise.recon.checkpoint import Checkpoint

FOLDER = "models"


def shipped_models() -> dict[str, Path]:
    """Trained networks that come with the package: name to file of weights; may be empty."""
    folder = files("mri_noise") / FOLDER
    if not folder.is_dir():
        return {}
    found = sorted(each.name for each in folder.iterdir() if each.name.endswith(".safetensors"))
    return {name.removesuffix(".safetensors"): _path(name) for name in found}


def _path(name: str) -> Path:
    with as_file(files("mri_noise") / FOLDER / name) as path:
        return path


def shipped_reconstructions() -> dict[str, Checkpoint]:
    """The shipped networks as choices."""
    return {name: Checkpoint(path=path) for name, path in shipped_models().items()}
