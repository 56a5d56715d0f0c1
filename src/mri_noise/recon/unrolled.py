"""Unrolled gradient descent with a residual network after each step."""

from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from mri_noise.arrays import Image, KSpace
from mri_noise.encoding import Sense
from mri_noise.recon.multiscale import DENOISER, WIDTHS, DenoiserKind, MultiscaleDenoiser, Widths
from mri_noise.recon.networks import seeded
from mri_noise.recon.resnet import ResidualCNN
from mri_noise.recon.scale import Scale, at_unit_scale
from mri_noise.settings import Settings

_STEP_SIZE, _STEP_SIZE_OF_SEVERAL, _MOMENTUM = -2.0, -1.0, 0.3
"""Initial values; the first is that of the source."""


class UnrolledSettings(Settings):
    """Unrolled gradient descent with a residual network after each step."""

    kind: Literal["unrolled"] = "unrolled"
    n_steps: int = Field(8, ge=1, description="Number of unrolled steps")
    n_gradient_steps: int = Field(1, ge=1, description="Gradient steps before each network, with momentum among them")
    denoiser: DenoiserKind = DENOISER
    n_blocks: int = Field(2, ge=1, description="Residual blocks of each residual network")
    n_features: int = Field(64, ge=1, description="Channels inside the residual networks")
    widths: Widths = WIDTHS
    share_weights: bool = Field(False, description="Use one network in every step")
    scale: Scale = Field("rms", description="What of the zero-filled image is scaled to one before the network")
    seed: int = Field(0, ge=0, description="Seed of the initial weights")

    def __call__(self) -> "Unrolled":
        """Return the network with its initial weights."""
        with seeded(self.seed):
            return Unrolled(self)


class Unrolled(nn.Module):
    """x <- R(x + t (A^H A x - A^H y)) from x = A^H y, with a residual network R and a learned step t.

    Several gradient steps between two networks have momentum, v <- m v + t (A^H A x - A^H y) and x <- x + v from v = 0
    on, with learned m (Polyak 1964, doi:10.1016/0041-5553(64)90137-5). A multiscale network also sees the image from
    before these steps, which is what the network before it made.

    The steps expect coil maps whose sum of squares is at most one.

    Source: Sandino 2020, doi:10.1109/MSP.2019.2950433.
    """

    replayable = True

    def __init__(self, settings: UnrolledSettings) -> None:
        super().__init__()
        self.settings = settings
        n_networks = 1 if settings.share_weights else settings.n_steps
        self.regularisers = nn.ModuleList(_regulariser(settings) for _ in range(n_networks))
        n_inner = settings.n_gradient_steps
        step_size = _STEP_SIZE if n_inner == 1 else _STEP_SIZE_OF_SEVERAL
        self.step_sizes = nn.ParameterList(torch.full((n_inner,), step_size) for _ in range(settings.n_steps))
        self.momenta = nn.ParameterList(
            torch.full((n_inner - 1,), _MOMENTUM) for _ in range(settings.n_steps if n_inner > 1 else 0)
        )

    def forward(self, kspace: KSpace, encoding: Sense) -> Image:
        """Reconstruct k-space of any leading axes, each independently."""
        descend = partial(self._descend, encoding=encoding)
        return at_unit_scale(descend, encoding.adjoint(kspace), self.settings.scale)

    def _descend(self, zero_filled: Image, encoding: Sense) -> Image:
        image = zero_filled
        for i in range(self.settings.n_steps):
            closer = self._approach(i, image, zero_filled, encoding)
            image = self.regularisers[i % len(self.regularisers)](closer, image)
        return image

    def _approach(self, i: int, image: Image, zero_filled: Image, encoding: Sense) -> Image:
        """Take the gradient steps before the i-th network."""
        velocity = self.step_sizes[i][0] * (encoding.normal(image) - zero_filled)
        image = image + velocity
        for j in range(1, self.settings.n_gradient_steps):
            gradient = encoding.normal(image) - zero_filled
            velocity = self.momenta[i][j - 1] * velocity + self.step_sizes[i][j] * gradient
            image = image + velocity
        return image


def _regulariser(settings: UnrolledSettings) -> nn.Module:
    if settings.denoiser == "multiscale":
        return MultiscaleDenoiser(settings.widths)
    return ResidualCNN(settings.n_blocks, settings.n_features)
