"""BART against our own SENSE, and what is said when it fails."""

import shutil
import stat
import sys
from pathlib import Path

import pytest
import torch

from mri_noise.acquisition.masks import AsAcquired
from mri_noise.arrays import Image
from mri_noise.evaluation import bart
from mri_noise.evaluation.bart import bart_program, bart_slice
from mri_noise.operators.cartesian import Sense
from mri_noise.recon.linear import CGSense
from tests.problems import equispaced, problem

needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")


SHAPES = [(32, 28), (30, 28), (30, 27), (33, 26), (33, 27)]
"""Even and odd sizes, halves of which are even and odd."""


def _problem(mask: torch.Tensor) -> tuple[torch.Tensor, Sense]:
    """K-space of a tiny scale, as files have it."""
    made = problem(*mask.shape, 3, mask, dtype=torch.complex64)
    return 1e-7 * made.kspace, made.encoding


def _relative(image: Image, expected: Image) -> float:
    return float((image - expected).norm() / expected.norm())


@needs_bart
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spacing", [1, 2], ids=["full", "every other"])
def test_least_squares_by_bart_is_our_sense(shape: tuple[int, int], spacing: int) -> None:
    kspace, encoding = _problem(equispaced(*shape, spacing, 8))
    with bart_slice(str(bart_program()), kspace, encoding) as data:
        image = data.least_squares(1e-2)
    assert _relative(image, CGSense(tikhonov=1e-2)()(kspace, encoding)) < 1e-5


@needs_bart
@pytest.mark.parametrize("shape", SHAPES)
def test_wavelets_of_no_weight_give_the_fully_sampled_image(shape: tuple[int, int]) -> None:
    kspace, encoding = _problem(AsAcquired()(shape, (-1,)))
    expected = encoding.adjoint(kspace)
    with bart_slice(str(bart_program()), kspace, encoding) as data:
        nearly, smoothed = data.wavelet(1e-7), data.wavelet(0.1)
    assert _relative(nearly, expected) < 1e-5
    assert _relative(smoothed, expected) > 1e-3
    assert not data.folder.exists()


def _program(folder: Path, script: str) -> str:
    path = folder / "bart"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_failures_of_bart_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kspace, encoding = _problem(equispaced(16, 16, 2, 8))
    failing = _program(tmp_path, "import sys; sys.exit('ERROR: Out of\\nmemory.')")
    with (
        bart_slice(failing, kspace, encoding) as data,
        pytest.raises(ValueError, match=r"slice: ERROR: Out of memory\.$"),
    ):
        data.wavelet(0.01)
    monkeypatch.setattr(bart, "_TIMEOUT", 0.2)
    slow = _program(tmp_path, "import time; time.sleep(60)")
    with bart_slice(slow, kspace, encoding) as data, pytest.raises(ValueError, match=r"BART took longer than 0\.2 s"):
        data.wavelet(0.01)
    with bart_slice(str(tmp_path / "no"), kspace, encoding) as data, pytest.raises(ValueError, match="cannot run"):
        data.wavelet(0.01)
