"""Unrolled gradient descent with a residual network after each step."""

from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from mri_noise.arrays import Image, KSpace
from mri_noise.encoding import Sense
from mri_noise.recon.networks import seeded
from mri_noise.recon.resnet import ResidualCNN
from mri_noise.recon.scale import Scale, at_unit_scale
from mri_noise.settings import Settings


class UnrolledSettings(Settings):
    """Unrolled gradient descent with a residual network after each step."""

    kind: Literal["unrolled"] = "unrolled"
    n_steps: int = Field(8, ge=1, description="Number of unrolled steps")
    n_blocks: int = Field(2, ge=1, description="Residual blocks of each network")
    n_features: int = Field(64, ge=1, description="Channels inside the networks")
    share_weights: bool = Field(False, description="Use one network in every step")
    scale: Scale = Field("rms", description="What of the zero-filled image is scaled to one before the network")
    seed: int = Field(0, ge=0, description="Seed of the initial weights")

    def __call__(self) -> "Unrolled":
        """Return the network with its initial weights."""
        with seeded(self.seed):
            return Unrolled(self)


class Unrolled(nn.Module):
    """x <- R(x + t (A^H A x - A^H y)) from x = A^H y, with a residual network R and a learned step t.

    The steps expect coil maps whose sum of squares is at most one.

    Source: Sandino 2020, doi:10.1109/MSP.2019.2950433.
    """

    replayable = True

    def __init__(self, settings: UnrolledSettings) -> None:
        super().__init__()
        self.settings = settings
        n_networks = 1 if settings.share_weights else settings.n_steps
        self.regularisers = nn.ModuleList(
            ResidualCNN(settings.n_blocks, settings.n_features) for _ in range(n_networks)
        )
        self.step_sizes = nn.ParameterList(torch.full((1,), -2.0) for _ in range(settings.n_steps))

    def forward(self, kspace: KSpace, encoding: Sense) -> Image:
        """Reconstruct k-space of any leading axes, each independently."""
        descend = partial(self._descend, encoding=encoding)
        return at_unit_scale(descend, encoding.adjoint(kspace), self.settings.scale)

    def _descend(self, zero_filled: Image, encoding: Sense) -> Image:
        image = zero_filled
        for i, step_size in enumerate(self.step_sizes):
            image = image + step_size * (encoding.normal(image) - zero_filled)
            image = self.regularisers[i % len(self.regularisers)](image)
        return image
