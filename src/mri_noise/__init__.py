"""See what noise does in a deep-learning MRI reconstruction.

``import mri_noise`` is cheap: the names below are loaded on first use, so that neither the command's help nor
the registration of the napari plugin imports torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mri_noise.experiment import Experiment
    from mri_noise.io.formats import open_scan
    from mri_noise.io.results import load_results, save_results
    from mri_noise.pipeline import run

_HOMES = {
    "Experiment": "mri_noise.experiment",
    "load_results": "mri_noise.io.results",
    "open_scan": "mri_noise.io.formats",
    "run": "mri_noise.pipeline",
    "save_results": "mri_noise.io.results",
}

__all__ = ["Experiment", "load_results", "open_scan", "run", "save_results"]
__version__ = version("napari-mri-noise")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mri_noise' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
