"""What every test has: shapes checked against annotations, one thread, and the measured scans if they are here."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests.shape_checks import checked

_hook = install_import_hook("mri_noise", f"{checked.__module__}.{checked.__name__}")
_hook.__enter__()

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts with & ignore interrupts,
for name in ("SIGQUIT", "SIGHUP"):  # and this, and nohup that
    if hasattr(signal, name):
        signal.signal(signal.Signals[name], signal.SIG_DFL)
torch.set_num_threads(1)  # the problems are tiny, and the tests may share their cores
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Leave what was imported out of the collections of garbage, of which every window that closes makes several."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def shared_data() -> Path:
    """The folder of measured scans beside the project; tests that need it skip where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the measured scans of shared/data are not here")
    return folder


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """Arrays of wrong shapes reach the project's own checks, as they do outside the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
