import errno
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mri_noise.atomic import Draft
from mri_noise.training.data.cache import AcquisitionCache
from mri_noise.training.example import Acquisition
from tests.training.acquisitions import acquisition


def equal(one: Acquisition, other: Acquisition) -> bool:
    tensors = all(torch.equal(getattr(one, n), getattr(other, n)) for n in ("kspace", "mask", "coil_maps"))
    return tensors and (one.noise_level, one.phase_encode_axes) == (other.noise_level, other.phase_encode_axes)


def refuse() -> Acquisition:
    raise AssertionError("made a second time")


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(1, 3)),
    level=st.floats(0, 1),
    axes=st.sampled_from([(-1,), (-2, -1)]),
    key=st.text(),
)
def test_what_is_kept_comes_back_exactly(
    tmp_path: Path, shape: tuple[int, int, int], level: float, axes: tuple[int, ...], key: str
) -> None:
    mask = torch.rand(shape[:2], generator=torch.Generator().manual_seed(0)) < 0.5
    made = acquisition(*shape, noise_level=level, mask=mask, axes=axes)
    cache = AcquisitionCache(tmp_path / f"{shape} {level} {axes} {key.encode().hex()[:40]}" / "inner")
    assert cache.get(key, lambda: made) is made
    assert equal(cache.get(key, refuse), made)


def test_keys_do_not_share_files(tmp_path: Path) -> None:
    cache = AcquisitionCache(tmp_path)
    for number in range(3):
        cache.get(f"key {number}", lambda number=number: acquisition(seed=number))
    for number in range(3):
        assert equal(cache.get(f"key {number}", refuse), acquisition(seed=number))
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:-1], lambda content: b"\0" * len(content), lambda content: b"{}"],
    ids=["empty", "truncated", "zeros", "other"],
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    cache = AcquisitionCache(tmp_path)
    cache.get("a", acquisition)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert equal(cache.get("a", acquisition), acquisition())
    assert equal(cache.get("a", refuse), acquisition())


def test_a_foreign_safetensors_file_is_made_anew(tmp_path: Path) -> None:
    cache = AcquisitionCache(tmp_path)
    cache.get("a", acquisition)
    (path,) = tmp_path.iterdir()
    save_file({"weight": torch.ones(2)}, path)
    assert equal(cache.get("a", acquisition), acquisition())


def test_a_full_disk_is_said_in_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Draft) -> None:
        self._failure = OSError(errno.ENOSPC, "No space left on device")
        self.check()

    monkeypatch.setattr(Draft, "finish", full)
    with pytest.raises(ValueError, match=r"^cannot write '.*' \(No space left on device\); free the space") as caught:
        AcquisitionCache(tmp_path).get("a", acquisition)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot make the cache folder '.*' .*; set another") as caught:
        AcquisitionCache(tmp_path / "file" / "cache").get("a", acquisition)
    assert "\n" not in str(caught.value)


def _fill(folder: Path) -> bool:
    cache = AcquisitionCache(folder)
    return all(equal(cache.get(str(n % 3), acquisition), acquisition()) for n in range(30))


def test_several_processes_may_share_a_folder(tmp_path: Path) -> None:
    """Processes of their own: a fork of one whose threads have computed may wait for them for ever."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert all(pool.map(_fill, [tmp_path] * 2))
    assert len(list(tmp_path.iterdir())) == 3
