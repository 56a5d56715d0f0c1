"""The denoisers of an unrolled reconstruction: the choice between them, and as many as its steps need."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Literal, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import nn

from mri_noise.arrays import Image
from mri_noise.recon.blocks.multiscale import MultiscaleDenoiser, Widths
from mri_noise.recon.blocks.resnet import ResidualCNN

DenoiserKind = Literal["residual", "multiscale"]

DENOISER: DenoiserKind = Field(
    "residual", description="residual: a CNN at full resolution; multiscale: a U-Net between Haar coefficients"
)

NOddSteps = Annotated[
    int, Field(ge=0, description="Last steps whose network is made odd: less depends on the phase, at twice the work")
]


@runtime_checkable
class DenoiserChoice(Protocol):
    """Settings of a reconstruction with a denoiser in each step."""

    @property
    def n_steps(self) -> int: ...
    @property
    def n_odd_steps(self) -> int: ...
    @property
    def denoiser(self) -> DenoiserKind: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def widths(self) -> Widths: ...
    @property
    def share_weights(self) -> bool: ...


def make_denoisers(choice: DenoiserChoice) -> nn.ModuleList:
    """Return the denoisers of all steps with their initial weights: a single one if the steps share it."""
    n_networks = 1 if choice.share_weights else choice.n_steps
    return nn.ModuleList(_denoiser(choice) for _ in range(n_networks))


def in_turn(denoisers: nn.ModuleList, choice: DenoiserChoice) -> Iterator[Callable[..., Image]]:
    """Yield the denoiser of each step; it refines images, shape (*batch, rows, columns).

    Those of the last ``n_odd_steps`` are made odd, (D(x) - D(-x)) / 2. Noise and artefacts are as likely as their
    negatives, but a network of ReLUs is not odd by itself: whether it takes faint signal for an artefact depends on the
    signal's phase.
    """
    for i in range(choice.n_steps):
        denoiser = denoisers[i % len(denoisers)]
        yield partial(_odd, denoiser) if i >= choice.n_steps - choice.n_odd_steps else denoiser


def _odd(denoise: Callable[..., Image], *images: Image) -> Image:
    plus, minus = denoise(*(torch.stack([image, -image], dim=-3) for image in images)).unbind(-3)
    return (plus - minus) / 2


def _denoiser(choice: DenoiserChoice) -> nn.Module:
    if choice.denoiser == "multiscale":
        return MultiscaleDenoiser(choice.widths)
    return ResidualCNN(choice.n_blocks, choice.n_features)
