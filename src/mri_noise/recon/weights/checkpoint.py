"""Trained networks as files: our own format, and the choice of any file of weights as a reconstruction.

Our format is safetensors with these metadata: ``format`` (``mri-noise``), ``format_version``, ``settings`` (the kind
and every setting of the network, JSON), ``training`` (what the trainer tells of itself, JSON) and ``sha256`` (of
settings and tensors, see :func:`checksum`).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from mri_noise.recon.networks.meddlr_unet import MeddlrUNet, MeddlrUNetSettings
from mri_noise.recon.networks.modl import MoDL, MoDLSettings
from mri_noise.recon.networks.unet import UNetReconstructor, UNetSettings
from mri_noise.recon.networks.unrolled import Unrolled, UnrolledSettings
from mri_noise.recon.networks.varnet import VarNet, VarNetSettings
from mri_noise.recon.networks.varnet_image import ImageVarNet, ImageVarNetSettings
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.recon.state_dict import StateDict, with_weights
from mri_noise.recon.weights.layouts import recognise
from mri_noise.recon.weights.weights_file import WeightsFile, read_weights, write_weights
from mri_noise.settings import Settings

_FORMAT = "mri-noise"
_VERSION = "1"

Network = UNetReconstructor | Unrolled | MoDL | VarNet | ImageVarNet | MeddlrUNet
"""A network that can be saved: it knows its settings, and they make it."""


class _Architecture(Settings):
    network: Annotated[
        UNetSettings | UnrolledSettings | MoDLSettings | VarNetSettings | ImageVarNetSettings | MeddlrUNetSettings,
        Field(discriminator="kind"),
    ]


class Checkpoint(Settings):
    """A trained network from a file: saved by this project, by fastMRI or by meddlr."""

    kind: Literal["checkpoint"] = "checkpoint"
    path: Path = Field(description="File of weights: safetensors, or written by torch.save")

    def __call__(self) -> Reconstructor:
        """Load the network."""
        return load_network(self.path)


def save_network(network: Network, path: Path, training: Mapping[str, Any]) -> None:
    """Write a network with its settings and the provenance of its training, whole or not at all.

    Raises
    ------
    ValueError
        If the provenance is not JSON, or the file cannot be written.
    """
    tensors, settings = network.state_dict(), network.settings.model_dump_json()
    metadata = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "settings": settings,
        "training": _as_json(training),
        "sha256": checksum(settings, tensors),
    }
    write_weights(path, WeightsFile(tensors, metadata))


def _as_json(training: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(training), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the provenance of the training should be plain JSON values: {error}") from None


def load_network(path: Path) -> nn.Module:
    """Read a network, ready to reconstruct: in evaluation mode, its weights without gradients.

    Raises
    ------
    ValueError
        If the file cannot be read, is damaged, could run code, or is in an unknown layout.
    """
    try:
        file = read_weights(path)
        return _restore(file) if file.metadata.get("format") == _FORMAT else recognise(file.tensors)
    except ValueError as error:
        raise ValueError(f"cannot load weights from '{path}': {error}") from None


def _restore(file: WeightsFile) -> nn.Module:
    version = file.metadata.get("format_version")
    if version != _VERSION:
        raise ValueError(f"their format has version {version}, and this program reads version {_VERSION}; upgrade it")
    if checksum(file.metadata.get("settings", ""), file.tensors) != file.metadata.get("sha256"):
        raise ValueError("their checksum differs from the one they were saved with; get the file again")
    architecture = _Architecture.parse({"network": _json_of(file, "settings")})
    return with_weights(architecture.network, file.tensors)


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
