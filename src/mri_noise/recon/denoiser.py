"""The denoisers of an unrolled reconstruction: the choice between them, and as many as its steps need."""

from typing import Literal, Protocol, runtime_checkable

from pydantic import Field
from torch import nn

from mri_noise.recon.multiscale import MultiscaleDenoiser, Widths
from mri_noise.recon.resnet import ResidualCNN

DenoiserKind = Literal["residual", "multiscale"]

DENOISER: DenoiserKind = Field(
    "residual", description="residual: a CNN at full resolution; multiscale: a U-Net between Haar coefficients"
)


@runtime_checkable
class DenoiserChoice(Protocol):
    """Settings of a reconstruction with a denoiser in each step."""

    @property
    def n_steps(self) -> int: ...
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


def _denoiser(choice: DenoiserChoice) -> nn.Module:
    if choice.denoiser == "multiscale":
        return MultiscaleDenoiser(choice.widths)
    return ResidualCNN(choice.n_blocks, choice.n_features)
