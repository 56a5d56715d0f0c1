"""Compressed sensing by BART, the Berkeley Advanced Reconstruction Toolbox, where it is installed.

Its Fourier transform is the centred orthonormal one, and its images are in the units of ours.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from mri_noise.arrays import Image, KSpace
from mri_noise.atomic import replacing
from mri_noise.io.bart import bart_pair, open_bart
from mri_noise.operators.cartesian import Sense
from mri_noise.recon.linear import ZeroFilled

_TIMEOUT = 600.0
_N_DIMENSIONS = 16


def bart_program() -> str | None:
    """Where BART is; None where it is not installed."""
    return shutil.which("bart")


@dataclass(frozen=True, slots=True)
class BartSlice:
    """One slice in BART's files.

    Attributes
    ----------
    scale
        That k-space was divided by: bright tissue, the 99th percentile of the zero-filled magnitude.
    """

    program: str
    folder: Path
    scale: float

    def wavelet(self, weight: float, n_iterations: int = 100) -> Image:
        """Reconstruct with an l1 penalty on wavelet coefficients, by FISTA with random shifts.

        The penalty is ``weight`` times the norm of the coefficients of the image at the scale of bright tissue.
        Sources: Lustig 2007, doi:10.1002/mrm.21391; Beck 2009, doi:10.1137/080716542.

        Raises
        ------
        ValueError
            If BART fails or takes longer than ten minutes.
        """
        return self._reconstruct("-l1", weight, n_iterations)

    def least_squares(self, weight: float, n_iterations: int = 100) -> Image:
        """Reconstruct by regularised least squares, (A^H A + weight)^-1 A^H y: what the tests compare our own with."""
        return self._reconstruct("-l2", weight, n_iterations)

    def _reconstruct(self, penalty: str, weight: float, n_iterations: int) -> Image:
        _run(
            [self.program, "pics", penalty, "-r", f"{weight:.8g}", "-i", str(n_iterations), "-w", "1",
             "-p", "mask", "kspace", "maps", "image"], self.folder,
        )  # fmt: skip
        image = open_bart(bart_pair(self.folder / "image"))[0].kspace[0]
        return self.scale * image


@contextmanager
def bart_slice(program: str, kspace: KSpace, encoding: Sense) -> Iterator[BartSlice]:
    """Write k-space, coil maps and mask to a temporary folder."""
    zero_filled = ZeroFilled()()(kspace, encoding)
    scale = float(np.percentile(zero_filled.abs().cpu().numpy(), 99))
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "kspace", _demodulated(kspace.cpu() / scale).movedim(0, -1)[:, :, None])
        _write(folder / "maps", encoding.coil_maps.movedim(0, -1)[:, :, None])
        _write(folder / "mask", encoding.mask)
        yield BartSlice(program, folder, scale)


def _demodulated(kspace: KSpace) -> KSpace:
    """Undo what BART's reconstruction does to k-space: a sign, and a shift by one pixel along axes of odd length.

    The centred transform of n points is the plain one between two modulations by exp(2 pi i (k - c / 2) c / n), with
    c = n // 2, of the image and of k-space. BART modulates the k-space that it is given by this factor, where the
    inverse one is right. For even n they are equal or differ in sign.
    """
    rows, columns = (_modulation(n).to(kspace) for n in kspace.shape[-2:])
    return kspace * (rows[:, None] * columns)


def _modulation(n: int) -> Tensor:
    centre = n // 2
    turns = 2 * centre / n * (torch.arange(n, dtype=torch.float64) - centre / 2)
    return torch.exp(-2j * torch.pi * turns)


def _write(stem: Path, array: Tensor) -> None:
    pair = bart_pair(stem)
    sizes = [*array.shape, *[1] * (_N_DIMENSIONS - array.ndim)]
    with replacing(pair.header) as draft:
        draft.write(f"# Dimensions\n{' '.join(map(str, sizes))}\n".encode())
    with replacing(pair.samples) as draft:
        draft.write(array.cpu().numpy().astype(np.dtype("<c8")).tobytes(order="F"))


def _run(command: list[str], folder: Path) -> None:
    try:
        finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"BART took longer than {_TIMEOUT:g} s; take smaller slices") from None
    except OSError as error:
        raise ValueError(f"cannot run '{command[0]}' ({error.strerror}); check how BART is installed") from None
    if finished.returncode != 0:
        said = " ".join(finished.stderr.split()) or f"status {finished.returncode}"
        raise ValueError(f"BART could not reconstruct this slice: {said}")
