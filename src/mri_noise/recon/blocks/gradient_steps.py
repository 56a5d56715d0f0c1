"""Gradient steps towards the measured data, with momentum."""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from mri_noise.arrays import GridImage
from mri_noise.operators.encoding import Encoding
from mri_noise.recon.state_dict import StateDict

STEP_SIZE, MOMENTUM = -1.0, 0.3
"""Initial values of several steps."""

NFinalSteps = Annotated[
    int, Field(ge=0, description="Gradient steps after the last network, which bring back what it took for artefacts")
]


def descend(
    image: GridImage,
    zero_filled: GridImage,
    encoding: Encoding,
    step_sizes: Sequence[Tensor] | Tensor,
    momenta: Sequence[Tensor] | Tensor,
) -> GridImage:
    """Take steps along the gradient of half the squared distance from the data, |A x - y|^2 / 2.

    v <- m v + t (A^H A x - A^H y) and x <- x + v from v = 0 on, with a step size t < 0 of each step and a momentum m
    between two (Polyak 1964, doi:10.1016/0041-5553(64)90137-5).

    Parameters
    ----------
    image, zero_filled : shape (*batch, *grid)
        x and A^H y.
    encoding
        Its coil maps have a sum of squares of at most one.
    step_sizes, momenta
        n scalars and n - 1 scalars.
    """
    velocity = None
    for j, step_size in enumerate(step_sizes):
        gradient = step_size * (encoding.normal(image) - zero_filled)
        velocity = gradient if velocity is None else momenta[j - 1] * velocity + gradient
        image = image + velocity
    return image


def with_final_steps(tensors: StateDict, network: StateDict) -> dict[str, Tensor]:
    """Tensors of a network from before it had final steps, and these from its own tensors; others stay as they are."""
    return {name: tensor for name, tensor in network.items() if ".final." in f".{name}"} | dict(tensors)


class FinalSteps(nn.Module):
    """Gradient steps with learned sizes and momenta, after the last network; none change nothing.

    Networks take measured signal that looks like none they learned from for artefacts; these steps bring it back as far
    as it was measured.
    """

    def __init__(self, n_steps: int) -> None:
        super().__init__()
        self.step_sizes = nn.ParameterList(torch.tensor(STEP_SIZE) for _ in range(n_steps))
        self.momenta = nn.ParameterList(torch.tensor(MOMENTUM) for _ in range(n_steps - 1))

    def forward(self, image: GridImage, zero_filled: GridImage, encoding: Encoding) -> GridImage:
        """Approach the data from an image, shape (*batch, *grid)."""
        return descend(image, zero_filled, encoding, list(self.step_sizes), list(self.momenta))
