"""MoDL: a learned denoiser alternating with the exact solution of the regularised encoding."""

import math
from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from mri_noise.arrays import Image, Samples
from mri_noise.operators.encoding import Encoding, require_rows_and_columns
from mri_noise.recon.blocks.denoiser import DENOISER, DenoiserKind, NOddSteps, in_turn, make_denoisers
from mri_noise.recon.blocks.fastmri_unet import seeded
from mri_noise.recon.blocks.gradient_steps import FinalSteps, NFinalSteps
from mri_noise.recon.blocks.multiscale import WIDTHS, Widths
from mri_noise.recon.blocks.scale import Scale, at_unit_scale
from mri_noise.recon.reconstruction import NetworkSettings
from mri_noise.recon.solvers.solve import solve_normal


class MoDLSettings(NetworkSettings):
    """A learned denoiser alternating with the exact solution of the regularised encoding."""

    title: ClassVar[str] = "MoDL, random weights"
    offered: ClassVar[bool] = False

    kind: Literal["modl"] = "modl"
    n_steps: int = Field(5, ge=1, description="Number of alternations")
    n_odd_steps: NOddSteps = 0
    n_final_steps: NFinalSteps = 0
    denoiser: DenoiserKind = DENOISER
    n_blocks: int = Field(2, ge=1, description="Residual blocks of the residual denoiser")
    n_features: int = Field(64, ge=1, description="Channels inside the residual denoiser")
    widths: Widths = WIDTHS
    share_weights: bool = Field(True, description="Use one denoiser in every step")
    initial_lambda: float = Field(0.05, gt=0, description="Weight lambda of the denoised image, before training")
    learn_lambda: bool = Field(True, description="Let a training change lambda; a fixed one is much faster to train")
    training_tolerance: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Relative residual while training; none: as afterwards, the least possible",
    )
    max_iterations: int = Field(
        100, title="iterations", ge=1, description="Largest number of conjugate gradient iterations a step"
    )
    scale: Scale = Field("rms", description="What of the zero-filled image is scaled to one before the network")
    seed: int = Field(0, ge=0, description="Seed of the initial weights")

    def __call__(self) -> "MoDL":
        """Return the network with its initial weights."""
        with seeded(self.seed):
            return MoDL(self)


class MoDL(nn.Module):
    """x <- (A^H A + lambda)^-1 (A^H y + lambda D(x)) from x = A^H y, with a denoiser D and a learned lambda > 0.

    Multiscale denoisers also see what they made before: from x = u = (A^H A + lambda)^-1 A^H y on, u <- D(x, u) and
    x <- (A^H A + lambda)^-1 (A^H y + lambda u) take turns, and the last u is the image, after final gradient steps.

    The weight expects coil maps whose sum of squares is at most one.

    Source: Aggarwal 2019, doi:10.1109/TMI.2018.2865356.
    """

    replayable = True

    def __init__(self, settings: MoDLSettings) -> None:
        super().__init__()
        self.settings = settings
        self.denoisers = make_denoisers(settings)
        self.final = FinalSteps(settings.n_final_steps)
        tikhonov = torch.tensor(math.log(settings.initial_lambda))
        self.log_tikhonov = nn.Parameter(tikhonov, requires_grad=settings.learn_lambda)

    @property
    def tikhonov(self) -> Tensor:
        """The weight lambda."""
        return self.log_tikhonov.exp()

    def forward(self, kspace: Samples, encoding: Encoding) -> Image:
        """Reconstruct k-space of any leading axes, each independently."""
        require_rows_and_columns(encoding, "MoDL")
        remembers = self.settings.denoiser == "multiscale"
        alternate = partial(self._remember if remembers else self._alternate, encoding=encoding)
        return at_unit_scale(alternate, encoding.adjoint(kspace), self.settings.scale)

    def _alternate(self, zero_filled: Image, encoding: Encoding) -> Image:
        image, tikhonov = zero_filled, self.tikhonov
        for denoise in in_turn(self.denoisers, self.settings):
            denoised = denoise(image)
            image = self._solve(encoding, zero_filled + tikhonov * denoised, tikhonov, start=denoised)
        return self.final(image, zero_filled, encoding)

    def _remember(self, zero_filled: Image, encoding: Encoding) -> Image:
        tikhonov = self.tikhonov
        image = denoised = self._solve(encoding, zero_filled, tikhonov)
        first, *others = in_turn(self.denoisers, self.settings)
        denoised = first(image, denoised)
        for denoise in others:
            image = self._solve(encoding, zero_filled + tikhonov * denoised, tikhonov, start=denoised)
            denoised = denoise(image, denoised)
        return self.final(denoised, zero_filled, encoding)

    def _solve(self, encoding: Encoding, b: Image, tikhonov: Tensor, start: Image | None = None) -> Image:
        tolerance, most = self.settings.training_tolerance if self.training else None, self.settings.max_iterations
        return solve_normal(encoding, b, tikhonov, start=start, tolerance=tolerance, max_iterations=most).image
