"""Unrolled gradient descent with a residual network after each step."""

from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from mri_noise.arrays import Image, Samples
from mri_noise.operators.encoding import Encoding, require_rows_and_columns
from mri_noise.recon.blocks.denoiser import DENOISER, DenoiserKind, NOddSteps, in_turn, make_denoisers
from mri_noise.recon.blocks.fastmri_unet import seeded
from mri_noise.recon.blocks.gradient_steps import MOMENTUM, STEP_SIZE, FinalSteps, NFinalSteps, descend
from mri_noise.recon.blocks.multiscale import WIDTHS, Widths
from mri_noise.recon.blocks.scale import Scale, at_unit_scale
from mri_noise.recon.reconstruction import NetworkSettings

_STEP_SIZE_OF_ONE = -2.0
"""Initial value, that of the source."""


class UnrolledSettings(NetworkSettings):
    """Unrolled gradient descent with a residual network after each step."""

    title: ClassVar[str] = "unrolled network, random weights"
    offered: ClassVar[bool] = False

    kind: Literal["unrolled"] = "unrolled"
    n_steps: int = Field(8, ge=1, description="Number of unrolled steps")
    n_gradient_steps: int = Field(1, ge=1, description="Gradient steps before each network, with momentum among them")
    n_odd_steps: NOddSteps = 0
    n_final_steps: NFinalSteps = 0
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

    Several gradient steps between two networks have momentum (:func:`descend`). A multiscale network also sees the
    image from before these steps, which is what the network before it made. Final steps follow the last network.

    The steps expect coil maps whose sum of squares is at most one.

    Source: Sandino 2020, doi:10.1109/MSP.2019.2950433.
    """

    replayable = True

    def __init__(self, settings: UnrolledSettings) -> None:
        super().__init__()
        self.settings = settings
        self.regularisers = make_denoisers(settings)
        self.final = FinalSteps(settings.n_final_steps)
        n_inner = settings.n_gradient_steps
        step_size = _STEP_SIZE_OF_ONE if n_inner == 1 else STEP_SIZE
        self.step_sizes = nn.ParameterList(torch.full((n_inner,), step_size) for _ in range(settings.n_steps))
        self.momenta = nn.ParameterList(
            torch.full((n_inner - 1,), MOMENTUM) for _ in range(settings.n_steps if n_inner > 1 else 0)
        )

    def forward(self, kspace: Samples, encoding: Encoding) -> Image:
        """Reconstruct k-space of any leading axes, each independently."""
        require_rows_and_columns(encoding, "unrolled gradient descent")
        alternate = partial(self._alternate, encoding=encoding)
        return at_unit_scale(alternate, encoding.adjoint(kspace), self.settings.scale)

    def _alternate(self, zero_filled: Image, encoding: Encoding) -> Image:
        image = zero_filled
        for i, refine in enumerate(in_turn(self.regularisers, self.settings)):
            momenta = self.momenta[i] if self.momenta else ()
            closer = descend(image, zero_filled, encoding, self.step_sizes[i], momenta)
            image = refine(closer, image)
        return self.final(image, zero_filled, encoding)
