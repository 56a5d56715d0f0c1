"""A tiny head in a NIfTI file, to simulate from where no package with a real one is installed."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np

from mri_noise.training.data.cache import AcquisitionCache
from mri_noise.training.data.simulated import Anatomy, Simulated
from mri_noise.training.example import Acquisition


class NoCache(AcquisitionCache):
    """Makes an acquisition anew every time."""

    def __init__(self) -> None:
        super().__init__(Path())

    def get(self, key: str, make: Callable[[], Acquisition]) -> Acquisition:
        return make()


def head() -> np.ndarray:
    """An ellipsoid of two tissues and fluid, with a rim: 36 x 40 x 36 voxels of 5 mm."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (36, 40, 36)), indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    tissue = np.where(np.sin(9 * x) * np.cos(8 * y + z) > 0, 1.0, 0.7)
    brain = np.where(radius < 0.3, 0.3, tissue)
    return np.where(radius < 0.75, brain, np.where(radius < 0.85, 0.1, 1.5)) * (radius < 0.95)


def write_head(folder: Path, name: str = "head.nii.gz") -> str:
    path = folder / name
    nibabel.save(nibabel.Nifti1Image(head().astype(np.float32), np.diag([5.0, 5.0, 5.0, 1.0])), path)
    return str(path)


def small(volume: str, **settings: object) -> Simulated:
    """Settings of a few pixels."""
    defaults = {"rows": (24, 40), "columns": (24, 40), "pixel_size": (5.0, 9.0), "n_subjects": 4, "n_slices": 2}
    return Simulated.parse({"volumes": [Anatomy(volume=volume).model_dump()], **defaults, **settings})
