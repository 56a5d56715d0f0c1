"""Every operator and every reconstruction of the project, in double precision, at awkward shapes."""

from collections.abc import Callable

import torch

from mri_noise.acquisition.noise import NoiseShaping
from mri_noise.operators.cartesian import CenteredFFT, Sampling, Sense, Sensitivities
from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.linop import Adjoint, Compose, LinearOperator
from mri_noise.operators.replay import divide, multiply, offset, root_sum_of_squares
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.networks.meddlr_unet import MeddlrUNetSettings
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.recon.networks.varnet_image import ImageVarNetSettings
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.together import SenseOfEach
from tests.problems import covariance, equispaced, smooth_maps

SHAPES = [(1, 5, 8), (3, 8, 5), (4, 7, 9), (2, 6, 4)]
"""(coils, rows, columns): one coil, non-square, odd and even."""


def _nonlinear(y: torch.Tensor) -> torch.Tensor:
    """Smooth, but neither linear nor holomorphic."""
    norm = root_sum_of_squares(y, dim=-3)
    z = divide(y, offset(norm.to(y.dtype), by=torch.tensor(1)))
    return multiply(z, z.conj()).sum(-3) + (2 + 1j) * y.real.sum(-3)


def _point(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7), dtype=torch.complex128)


def _noise_shaping(shape: tuple[int, int, int]) -> NoiseShaping:
    noise = covariance(shape[0], torch.Generator().manual_seed(3))
    return NoiseShaping.of(noise, equispaced(*shape[1:], 2), torch.complex128)


def _sense(shape: tuple[int, int, int]) -> Sense:
    return Sense(smooth_maps(*shape, torch.complex128), equispaced(*shape[1:], 2, 2))


def _sense_of_each(shape: tuple[int, int, int]) -> SenseOfEach:
    """Two slices, of which the second has half of the signal and another mask."""
    maps, mask = smooth_maps(*shape, torch.complex128), equispaced(*shape[1:], 2, 2)
    return SenseOfEach(torch.stack([maps, maps / 2]), torch.stack([mask, mask.roll(1, -1)]))


OPERATORS: dict[str, Callable[[tuple[int, int, int]], LinearOperator]] = {
    "CenteredFFT": CenteredFFT,
    "Sensitivities": lambda shape: Sensitivities(smooth_maps(*shape, torch.complex128)),
    "Sampling": lambda shape: Sampling(equispaced(*shape[1:], 2, 2), shape[0]),
    "Sense": _sense,
    "SenseOfEach": _sense_of_each,
    "NoiseShaping": _noise_shaping,
    "Compose": lambda shape: Compose(_noise_shaping(shape), _sense(shape)),
    "Adjoint": lambda shape: Adjoint(_sense(shape)),
    "Jacobian of steps": lambda shape: Jacobian.of_steps(_nonlinear, _point(shape), chunk=3),
    "Jacobian of any": lambda shape: Jacobian.of_any(_nonlinear, _point(shape), chunk=3),
}

KINDS = {type(make(SHAPES[1])) for make in OPERATORS.values()}
"""The classes that the cases cover: a test compares them with the classes that exist."""

RECONSTRUCTIONS: dict[str, Callable[[], Reconstructor]] = {
    "zero-filled": ZeroFilled(),
    "CG-SENSE": CGSense(tikhonov=0.02),
    "U-Net": UNetSettings(n_channels=4, n_pools=2, seed=1),
    "U-Net of magnitudes": UNetSettings(in_channels=1, n_channels=4, n_pools=2, seed=2),
    "U-Net of meddlr": MeddlrUNetSettings(n_channels=4, n_pools=2, seed=9),
    "unrolled": UnrolledSettings(n_steps=3, n_blocks=1, n_features=4, seed=3),
    "MoDL": MoDLSettings(n_steps=2, n_blocks=1, n_features=4, seed=4),
    "MoDL, multiscale": MoDLSettings(n_steps=2, denoiser="multiscale", widths=(3, 4), learn_lambda=False, seed=6),
    "unrolled, multiscale": UnrolledSettings(
        n_steps=2, n_gradient_steps=2, denoiser="multiscale", widths=(3, 4), seed=7
    ),
    "VarNet of the image": ImageVarNetSettings(
        n_cascades=2, widths=(3, 4), sensitivity_n_channels=2, sensitivity_n_pools=1, seed=8
    ),
    "VarNet": VarNetSettings(
        n_cascades=2, n_channels=3, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1, seed=5
    ),
    "VarNet, complex": VarNetSettings(
        n_cascades=2, n_channels=3, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1, combination="sense"
    ),
    "VarNet, refined maps": VarNetSettings(
        n_cascades=1, n_channels=2, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1, sensitivity="refined"
    ),
}
"""Every reconstruction, small."""


def reconstructor(name: str) -> Reconstructor:
    """A reconstruction in double precision."""
    made = RECONSTRUCTIONS[name]()
    return made.double().requires_grad_(False) if isinstance(made, torch.nn.Module) else made
