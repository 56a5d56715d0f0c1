import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mri_noise.recon.weights.weights_file import WeightsFile, read_weights, write_weights

TENSORS = {"a.weight": torch.arange(24.0).reshape(2, 3, 4), "b": torch.tensor(3, dtype=torch.int64)}


def write_torch(path: Path) -> None:
    torch.save(TENSORS, path)


def write_old_torch(path: Path) -> None:
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)


def write_safetensors(path: Path) -> None:
    save_file(TENSORS, path)


WRITERS = [write_torch, write_old_torch, write_safetensors]


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def one_sentence(error: pytest.ExceptionInfo[ValueError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize("write", WRITERS)
def test_kinds_are_told_apart_by_content(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "weights")
    assert_equal(read_weights(tmp_path / "weights").tensors, TENSORS)


def test_writes_what_it_reads(tmp_path: Path) -> None:
    shared = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    tensors = {"one": shared, "same": shared, "transposed": shared.mT, "part": shared[1:3]}
    write_weights(tmp_path / "w.safetensors", WeightsFile(tensors, {"note": "µ"}))
    file = read_weights(tmp_path / "w.safetensors")
    assert_equal(file.tensors, tensors)
    assert file.metadata == {"note": "µ"}


@pytest.mark.parametrize("nested", [("state_dict",), ("model",), ("model_state_dict",), ("model", "state_dict")])
def test_finds_the_tensors_beside_the_state_of_the_training(tmp_path: Path, nested: tuple[str, ...]) -> None:
    content: dict[str, object] = dict(TENSORS)
    for name in nested:
        content = {name: content, "iteration": 3, "optimizer": {"state": {0: torch.ones(2)}}}
    torch.save(content, tmp_path / "w.ckpt")
    assert_equal(read_weights(tmp_path / "w.ckpt").tensors, TENSORS)


class Malicious:
    """Unpickling it creates a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._trace,)


@pytest.mark.parametrize("in_zip", [True, False])
@pytest.mark.parametrize("wrap", [lambda bad: bad, lambda bad: {"state_dict": TENSORS, "hyper_parameters": bad}])
def test_code_in_a_file_is_refused_and_does_not_run(tmp_path: Path, in_zip: bool, wrap: Callable) -> None:
    trace, path = tmp_path / "trace", tmp_path / "bad.ckpt"
    torch.save(wrap(Malicious(trace)), path, _use_new_zipfile_serialization=in_zip)
    with pytest.raises(ValueError, match=r"holds Python objects \(.+\), which could run any code") as error:
        read_weights(path)
    one_sentence(error)
    assert not trace.exists()

    torch.load(path, weights_only=False)  # what reading it carelessly does
    assert trace.exists()


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, write: Callable[[Path], None], kept: float) -> None:
    whole, path = tmp_path / "whole", tmp_path / "cut"
    write(whole)
    content = whole.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r"empty|damaged|Python objects|neither|no named tensors") as error:
        read_weights(path)
    one_sentence(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"^the file is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), r"^the file is neither safetensors nor written by torch.save"),
        (b"PK\x03\x04" + bytes(100), r"damaged"),
        (b"\x80\x02" + bytes(100), r"damaged|Python objects"),
        (bytes(8) + b"{}", r"damaged"),
        (b"\xff" * 8 + b"{}", r"damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_weights(tmp_path / "file")
    one_sentence(error)


def test_programs_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "program", "w") as file:
        file.writestr("archive/constants.pkl", b"\x80\x02).")
        file.writestr("archive/version", "3")
    with pytest.raises(ValueError, match="the file holds a TorchScript program"):
        read_weights(tmp_path / "program")


@pytest.mark.parametrize("content", [[torch.ones(2)], {"epoch": 3}, {"state_dict": {}}, torch.ones(2)])
def test_files_without_named_tensors_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "file")
    with pytest.raises(ValueError, match="no named tensors"):
        read_weights(tmp_path / "file")


@pytest.mark.parametrize("name", ["absent", ""])
def test_what_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"(No such file|Is a directory).*; check the path"):
        read_weights(tmp_path / name)


def test_unwritable_paths_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "w", tmp_path / "absent" / "w", tmp_path / "folder"):
        with pytest.raises(ValueError, match=r"^cannot write '.*'"):
            write_weights(path, WeightsFile(TENSORS))
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_failed_write_keeps_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w"
    write_weights(path, WeightsFile(TENSORS))
    before = path.read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ValueError, match="No space left on device"):
        write_weights(path, WeightsFile({"other": torch.ones(3)}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
