"""The tensors of a network by name: where they begin, what they tell of its sizes, how they are put into it."""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

StateDict: TypeAlias = Mapping[str, Tensor]
N = TypeVar("N", bound=nn.Module)

_WRAPPERS = ("module", "_orig_mod", "model")
"""Names that parallel training, compilation and most trainers put before the network's own, in any order."""


def unwrapped(tensors: StateDict, mark: str, *wrappers: str) -> dict[str, Tensor] | None:
    """Return the tensors of a network by their names inside it; None if it is not there.

    Parameters
    ----------
    tensors
        Those of a checkpoint, which may have others beside the network's, such as a loss's.
    mark
        Pattern of a tensor name that every such network has and no other.
    wrappers
        The names under which trainers keep such networks, beside the common ones.
    """
    pattern = re.compile(rf"((?:(?:{'|'.join((*_WRAPPERS, *wrappers))})\.)*){mark}")
    prefixes = [match[1] for match in map(pattern.fullmatch, tensors) if match]
    if not prefixes:
        return None
    return {name.removeprefix(prefixes[0]): tensors[name] for name in tensors if name.startswith(prefixes[0])}


def kernel_shape(tensors: StateDict, name: str) -> tuple[int, int, int, int]:
    """Return the shape of a convolution's weight.

    Raises
    ------
    ValueError
        If the tensor is missing, is empty or has not four axes.
    """
    if name not in tensors:
        raise ValueError(f"the tensor '{name}' is missing; the file is incomplete")
    shape = tensors[name].shape
    if len(shape) != 4 or 0 in shape:
        raise ValueError(f"the tensor '{name}' should be a convolution's, but its shape is {tuple(shape)}")
    n_out, n_in, rows, columns = shape
    return n_out, n_in, rows, columns


def count(tensors: StateDict, prefix: str) -> int:
    """Return how many numbers follow a prefix: the length of a list of modules."""
    return len({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})


def with_weights(build: Callable[[], N], tensors: StateDict) -> N:
    """Build a network and give it weights, with no memory spent before they are known to fit.

    Weights in double precision stay so; those of less than single precision are widened to it.

    Raises
    ------
    ValueError
        If a tensor is missing, is not of this network, or has another shape.
    """
    with torch.device("meta"):
        network = build()
    expected = network.state_dict()
    require_fit(tensors, expected)
    widened = {name: t.to(torch.promote_types(t.dtype, expected[name].dtype)) for name, t in tensors.items()}
    network.load_state_dict(widened, assign=True)
    if any(buffer.is_meta for buffer in network.buffers()):  # constants that are in no file
        network = build()
        network.load_state_dict(widened, assign=True)
    return network.eval().requires_grad_(False)


def require_fit(tensors: StateDict, expected: StateDict) -> None:
    """Check the names and shapes of tensors against those of a network.

    Raises
    ------
    ValueError
        If a tensor is missing, is not of this network, or has another shape.
    """
    if missing := expected.keys() - tensors.keys():
        raise ValueError(f"the {_listed(missing)} missing; the file is incomplete or of another network")
    if unexpected := tensors.keys() - expected.keys():
        raise ValueError(f"the {_listed(unexpected)} not of this network; the file is of another one")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"the tensor '{name}' should have the shape {tuple(expected[name].shape)}, got {tuple(tensor.shape)}; "
                "the file is of another network"
            )


def _listed(names: set[str]) -> str:
    first, *others = sorted(names)
    return f"tensors '{first}' and {len(others)} more are" if others else f"tensor '{first}' is"
