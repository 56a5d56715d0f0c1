import gc
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mri_noise.io.volume import temporary_array


def test_it_holds_what_is_written_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = temporary_array((3, 2, 4, 5))
    assert array.dtype == np.complex64 and not array.any()
    array[1, :, 2] = 7j
    assert array[1, 1, 2, 3] == 7j
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc to see what is mapped")
def test_the_space_is_given_back_with_the_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = temporary_array((30, 2, 40, 50))
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    del array
    gc.collect()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tempfile.gettempdir())._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    with pytest.raises(ValueError, match=r"needs 6e-06 GB of temporary disk space, but '.*' has 1e-06 GB left"):
        temporary_array((10, 3, 5, 5))
