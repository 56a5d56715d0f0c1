"""Trained networks as files: our own format, and the choice of any file of weights as a reconstruction.

Our format is safetensors with these metadata: ``format`` (``mri-noise``), ``format_version``, ``settings`` (the kind
and every setting of the network, JSON), ``training`` (what the trainer tells of itself, JSON) and ``sha256`` (of
settings and tensors, see :func:`checksum`).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from mri_noise.choices import TrustCode, Untrusted, trusting
from mri_noise.recon.reconstruction import NetworkSettings, Reconstruction
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.recon.state_dict import StateDict, with_weights
from mri_noise.recon.weights.layouts import recognise
from mri_noise.recon.weights.weights_file import WeightsFile, read_metadata, read_weights, write_weights
from mri_noise.settings import Origin, Settings

_FORMAT = "mri-noise"
_VERSION = "1"


class _Architecture(Settings):
    network: NetworkSettings


class Checkpoint(Reconstruction):
    """A trained network from a file: saved by this project, by fastMRI or by meddlr."""

    title: ClassVar[str] = "own weights …"
    hidden: ClassVar[frozenset[str]] = frozenset({"trust_code"})

    kind: Literal["checkpoint"] = "checkpoint"
    path: Path = Field(description="File of weights: safetensors, or written by torch.save")
    trust_code: TrustCode = Field(
        False,
        description="Whether somebody agreed to run Python code that the file may name",
    )

    def __call__(self) -> Reconstructor:
        """Load the network."""
        return load_network(self.path, trust_code=self.trust_code)

    @property
    def label(self) -> str:
        return self.path.stem

    @property
    def code(self) -> str | None:
        return None if self.trust_code else code_of(self.path)


def save_network(
    network: nn.Module, path: Path, training: Mapping[str, Any], settings: NetworkSettings | None = None
) -> None:
    """Write a network with its settings and the provenance of its training, whole or not at all.

    The settings are those that make the network; its own attribute ``settings`` if they are not given.

    Raises
    ------
    ValueError
        If the provenance is not JSON, or the file cannot be written.
    """
    made_by = network.settings if settings is None else settings
    assert isinstance(made_by, NetworkSettings)
    tensors, written = network.state_dict(), made_by.model_dump_json(exclude=set(made_by.hidden))
    metadata = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "settings": written,
        "training": _as_json(training),
        "sha256": checksum(written, tensors),
    }
    write_weights(path, WeightsFile(tensors, metadata))


def _as_json(training: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(training), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the provenance of the training should be plain JSON values: {error}") from None


def load_network(path: Path, *, trust_code: bool = False) -> nn.Module:
    """Read a network, ready to reconstruct: in evaluation mode, its weights without gradients.

    Raises
    ------
    Untrusted
        A ValueError: if the file names Python code that makes the network, and nobody agreed to run it.
    ValueError
        If the file cannot be read, is damaged, could run code, or is in an unknown layout.
    """
    try:
        file = read_weights(path)
        if file.metadata.get("format") != _FORMAT:
            return recognise(file.tensors)
        return _restore(file, trust_code=trust_code)
    except Untrusted:
        raise
    except ValueError as error:
        raise ValueError(f"cannot load weights from '{path}': {error}") from None


def code_of(path: Path) -> str | None:
    """The Python code that makes the network of a file, as ``module:name``; None if there is none, or no such file."""
    try:
        file = WeightsFile({}, read_metadata(path))
        return _settings_of(file).code if file.metadata.get("format") == _FORMAT else None
    except ValueError:
        return None


def _restore(file: WeightsFile, *, trust_code: bool) -> nn.Module:
    version = file.metadata.get("format_version")
    if version != _VERSION:
        raise ValueError(f"their format has version {version}, and this program reads version {_VERSION}; upgrade it")
    if checksum(file.metadata.get("settings", ""), file.tensors) != file.metadata.get("sha256"):
        raise ValueError("their checksum differs from the one they were saved with; get the file again")
    settings = _settings_of(file)
    return with_weights(trusting(settings) if trust_code else settings, file.tensors)


def _settings_of(file: WeightsFile) -> NetworkSettings:
    return _Architecture.parse({"network": _json_of(file, "settings")}, Origin(is_file=True)).network


def read_training(path: Path) -> dict[str, Any]:
    """Read what the trainer told of itself; empty for the weights of others.

    Raises
    ------
    ValueError
        If the file cannot be read or is damaged.
    """
    try:
        file = read_weights(path)
        return _json_of(file, "training") if file.metadata.get("format") == _FORMAT else {}
    except ValueError as error:
        raise ValueError(f"cannot read the training of '{path}': {error}") from None


def _json_of(file: WeightsFile, name: str) -> Any:
    try:
        return json.loads(file.metadata[name])
    except (KeyError, json.JSONDecodeError):
        raise ValueError(f"the metadata '{name}' is missing or not JSON; get the file again") from None


def checksum(settings: str, tensors: StateDict) -> str:
    """SHA-256, in hexadecimal, of the settings and, by name, of each tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(settings.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
