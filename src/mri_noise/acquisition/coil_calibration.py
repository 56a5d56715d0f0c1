"""The fully sampled centre of k-space: where it is, whether it holds signal, and whether coil maps explain it."""

import torch
from torch import Tensor

from mri_noise.acquisition.noise import Noise
from mri_noise.arrays import CoilMaps, KSpace, Mask
from mri_noise.operators.fourier import centered_ifft, central_block

_LEAST_SIDE, _USUAL_SIDE = 8, 24


def calibration_size(mask: Mask) -> tuple[int, int]:
    """Return (rows, columns) of the largest fully sampled rectangle at the centre of k-space.

    The largest is the one whose shorter side is longest, then the one of largest area; (0, 0) if there is none. It
    has the centre index n // 2 at its own index m // 2.
    """
    rows, columns = (_from_centre(n).to(mask.device) for n in mask.shape)
    full = mask[rows][:, columns].int().cummin(0).values.cummin(1).values
    heights, widths = (torch.arange(1, n + 1, device=mask.device) for n in mask.shape)
    shorter, area = torch.minimum(heights[:, None], widths), heights[:, None] * widths
    best = int((full * (shorter * mask.numel() + area)).argmax())
    if not bool(full.flatten()[best]):
        return 0, 0
    return best // mask.shape[1] + 1, best % mask.shape[1] + 1


def _from_centre(n: int) -> Tensor:
    """Indices in the order in which a growing centred block takes them in: c, c-1, c+1, c-2, ..."""
    steps = torch.arange(n)
    return n // 2 + torch.where(steps % 2 == 0, 1, -1) * ((steps + 1) // 2)


def calibration_square(kspace: KSpace, mask: Mask, n_calibration: int | None) -> Tensor:
    """Cut out the square that coil maps are calibrated on, shape (coils, side, side).

    Raises
    ------
    ValueError
        If the centre is not sampled, or smaller than asked for, or zero.
    """
    rows, columns = calibration_size(mask)
    sampled = min(rows, columns)
    wanted = n_calibration or _LEAST_SIDE
    if sampled < wanted:
        raise ValueError(
            f"coil calibration needs {wanted} x {wanted} fully sampled points at the centre of k-space, but "
            f"{rows} x {columns} are sampled; sample more calibration lines or use coil maps from a file"
        )
    side = n_calibration or min(sampled, _USUAL_SIDE)
    square = central_block(kspace, (side, side))
    if not bool(square.any()):
        raise ValueError("coil calibration needs signal, but the centre of k-space is zero; check the data")
    return square


def low_resolution_images(square: Tensor, shape: tuple[int, ...]) -> CoilMaps:
    """Coil images of a Hann-windowed calibration square, shape (coils, rows, columns)."""
    kspace = torch.zeros(len(square), *shape, dtype=square.dtype, device=square.device)
    side = square.shape[-1]
    central_block(kspace, (side, side)).copy_(square * _hann(side).to(square))
    return centered_ifft(kspace)


def signal_over_noise(square: Tensor, noise: Noise) -> float:
    """Power of the strongest combination of coils in a calibration square, over the most that noise alone would have.

    The largest eigenvalue of the covariance of n white samples of p coils tends to (1 + sqrt(p / n))^2
    (Marchenko and Pastur 1967), so that noise alone gives about 1.
    """
    samples = square.flatten(1).to(torch.complex128).cpu()
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(noise.covariance), samples, upper=False)
    n_coils, n_samples = white.shape
    strongest = torch.linalg.eigvalsh(white @ white.mH / n_samples)[-1]
    return float(strongest) / (1 + (n_coils / n_samples) ** 0.5) ** 2


def unexplained_share(square: Tensor, coil_maps: CoilMaps, noise: Noise) -> float:
    """Share of the power of the low-resolution coil images that one image with these maps cannot have, less noise.

    With S of unit norm it is sum |I - S S^H I|^2 / sum |I|^2. The expected power of the noise, of which the maps hold
    what lies along S, is taken off both. Next to nothing where the maps are right; several percent where the object
    folds onto itself (a field of view that is too small), moves, or the maps belong to other data.
    """
    images = low_resolution_images(square, coil_maps.shape[1:])
    left = images - coil_maps * (coil_maps.conj() * images).sum(0)
    covariance = noise.covariance.to(coil_maps)
    total = covariance.diagonal().real.sum()
    along_maps = torch.einsum("crk,cd,drk->rk", coil_maps.conj(), covariance, coil_maps).real
    share = float(_hann(square.shape[-1]).square().sum()) / coil_maps[0].numel()
    power_left, power = (float(each.abs().square().sum()) for each in (left, images))
    noise_left, noise_power = share * float((total - along_maps).sum()), share * float(total) * along_maps.numel()
    return max(power_left - noise_left, 0.0) / max(power - noise_power, power_left, 1e-30)


def _hann(side: int) -> Tensor:
    window = torch.cos(torch.pi * (torch.arange(side, dtype=torch.float64) - side // 2) / (side + 1)).square()
    return window[:, None] * window
