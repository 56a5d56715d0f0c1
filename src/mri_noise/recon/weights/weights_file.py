"""Files of weights: named tensors, read without running anything that a file may hold."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from warnings import catch_warnings

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from mri_noise.atomic import replacing

_MARK_LENGTH = 9
_TORCH_MARKS = (b"PK\x03\x04", b"\x80")
_NESTED_UNDER = ("state_dict", "model_state_dict", "model")


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """What a file of weights holds; only safetensors have metadata."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)


def read_weights(path: Path) -> WeightsFile:
    """Read safetensors or what ``torch.save`` wrote, told apart by their content.

    Raises
    ------
    ValueError
        If the file cannot be read, is damaged, is of another kind, or holds anything but plain data.
    """
    start = _start_of(path)
    if start[_MARK_LENGTH - 1 :] == b"{":
        return _read_safetensors(path)
    if start.startswith(_TORCH_MARKS):
        return WeightsFile(_read_torch(path))
    found = "the file is empty" if not start else "the file is neither safetensors nor written by torch.save"
    raise ValueError(f"{found}; choose a file of weights")


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of safetensors, and none of their tensors; empty for other files.

    Raises
    ------
    ValueError
        If the file cannot be read or is damaged.
    """
    if _start_of(path)[_MARK_LENGTH - 1 :] != b"{":
        return {}
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise ValueError(f"the safetensors are damaged ({error}); get the file again") from None


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MARK_LENGTH)
    except OSError as error:
        raise ValueError(f"{error.strerror}; check the path") from None


def _read_safetensors(path: Path) -> WeightsFile:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118, not a mapping
            return WeightsFile(tensors, file.metadata() or {})
    except safetensors.SafetensorError as error:
        raise ValueError(f"the safetensors are damaged ({error}); get the file again") from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with catch_warnings(action="ignore"):  # a refusal says all that a warning would
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the stream is untrusted and may break its reader anywhere
        raise ValueError(_why_refused(error)) from None
    tensors = _find_tensors(content)
    if not tensors:
        raise ValueError("the file holds no named tensors; save the state dict of the network")
    return tensors


def _why_refused(error: Exception) -> str:
    if "TorchScript" in str(error):
        return "the file holds a TorchScript program, which could run any code; save the state dict of its network"
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named is None and type(error).__name__ != "UnpicklingError":
        return "the file is damaged, or is not a checkpoint of torch.save; get it again"
    what = f" ({named[1]})" if named else ""
    return (
        f"the file holds Python objects{what}, which could run any code and are never loaded; if you trust it, keep "
        "only its weights with: torch.save(torch.load('checkpoint.ckpt', weights_only=False)['state_dict'], "
        "'weights.pt'), or ['model'] where that is its name"
    )


def _find_tensors(content: object) -> dict[str, Tensor]:
    """The named tensors of a state dict, or of the one that a checkpoint keeps beside its training state."""
    if not isinstance(content, dict):
        return {}
    for name in _NESTED_UNDER:
        if isinstance(content.get(name), dict):
            return _find_tensors(content[name])
    return {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}


def write_weights(path: Path, file: WeightsFile) -> None:
    """Write safetensors, whole or not at all.

    Raises
    ------
    ValueError
        If the file cannot be written.
    """
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in file.tensors.items()}
    content = safetensors.torch.save(plain, file.metadata)
    with replacing(path) as draft:
        draft.write(content)
