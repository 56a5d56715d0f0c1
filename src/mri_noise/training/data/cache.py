"""Acquisitions kept on the disk, so that each is read or simulated once."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import safetensors
import safetensors.torch

from mri_noise.atomic import replacing
from mri_noise.training.example import Acquisition

_NUMBERS = "numbers"
_VERSION = version("napari-mri-noise")


@dataclass(frozen=True, slots=True)
class AcquisitionCache:
    """A folder with one safetensors file for each acquisition; several processes may use it at once."""

    folder: Path

    def get(self, key: str, make: Callable[[], Acquisition]) -> Acquisition:
        """Return what is stored under a key, or make and store it; a damaged file is made anew.

        Parameters
        ----------
        key
            Everything that the acquisition depends on, except the version of this package.

        Raises
        ------
        ValueError
            If the folder cannot be written, in one sentence.
        """
        path = self._path(key)
        stored = _read(path)
        if stored is None:
            stored = make()
            _write(path, stored)
        return stored

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(f"{_VERSION}\n{key}".encode()).hexdigest()
        return self.folder / f"{digest[:40]}.safetensors"


def _read(path: Path) -> Acquisition | None:
    """Read a file; None if it is absent or not as it was written."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            numbers = json.loads(file.metadata()[_NUMBERS])
            return Acquisition(
                kspace=file.get_tensor("kspace").clone(),
                mask=file.get_tensor("mask").clone(),
                coil_maps=file.get_tensor("coil_maps").clone(),
                noise_level=float(numbers["noise_level"]),
                phase_encode_axes=tuple(int(axis) for axis in numbers["phase_encode_axes"]),
            )
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, acquisition: Acquisition) -> None:
    numbers = {"noise_level": acquisition.noise_level, "phase_encode_axes": acquisition.phase_encode_axes}
    tensors = {
        "kspace": acquisition.kspace.contiguous(),
        "mask": acquisition.mask.contiguous(),
        "coil_maps": acquisition.coil_maps.contiguous(),
    }
    content = safetensors.torch.save(tensors, {_NUMBERS: json.dumps(numbers)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"cannot make the cache folder '{path.parent}' ({error.strerror}); set another cache folder"
        ) from None
    with replacing(path) as file:
        file.write(content)
