"""HDF5 files of unknown origin, read only and refused where they point outside themselves; and files in the making."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from mri_noise.atomic import Draft

_INSIDE = (h5py.h5l.TYPE_HARD, h5py.h5l.TYPE_SOFT)


@contextmanager
def open_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Open an HDF5 file to read from it, once it is known to hold all its data itself.

    Raises
    ------
    ValueError
        If the file is being written or cannot be read, now or inside the ``with`` block, or if any of its members is an
        external link, a dataset with external storage, a virtual dataset or of a type unknown to NumPy.
    """
    try:
        with h5py.File(path, "r") as file:
            _refuse_outside(file, path)
            yield file
    except BlockingIOError:
        raise ValueError(f"'{path}' is open for writing elsewhere; close it there, or read a copy of it") from None
    except (OSError, RuntimeError, KeyError, MemoryError) as error:  # what h5py raises for damaged files
        reason = " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())
        raise ValueError(
            f"cannot read '{path}' as HDF5 ({reason}); it may be truncated, damaged or of another format"
        ) from None


class Unraised:
    """A draft as HDF5 calls it: whatever is raised in a call makes the draft fail, and does not reach HDF5.

    An exception in a call of HDF5 is lost, the file damaged, and the interpreter crashes at its exit.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def read(self, size: int = -1) -> bytes:
        return self._draft.attempt(lambda: self._draft.read(size) or b"", b"")

    def readinto(self, buffer: Any) -> int:
        return self._draft.attempt(lambda: self._draft.readinto(buffer) or 0, 0)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._draft.attempt(lambda: self._draft.seek(offset, whence), 0)

    def tell(self) -> int:
        return self._draft.attempt(self._draft.tell, 0)

    def write(self, data: Any) -> int:
        return self._draft.attempt(lambda: self._draft.write(data), 0)

    def truncate(self, size: int) -> int:
        return self._draft.attempt(lambda: self._draft.truncate(size), 0)

    def flush(self) -> None:
        self._draft.attempt(self._draft.flush, None)


def _refuse_outside(file: h5py.File, path: Path | str) -> None:
    """Visit every member; a soft link stays inside the file, where its target has a name of its own."""
    groups, visited = [file], set()
    while groups:
        group = groups.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in visited:
            continue
        visited.add(address)
        for name in group.id:
            kind = group.id.links.get_info(name).type
            if kind not in _INSIDE:
                raise _refusal(path, name.decode("utf-8", "replace"), "an external link")
            if kind == h5py.h5l.TYPE_HARD:
                member = group[name]
                if isinstance(member, h5py.Group):
                    groups.append(member)
                elif isinstance(member, h5py.Dataset):
                    _require_plain(member, path)


def _require_plain(dataset: h5py.Dataset, path: Path | str) -> None:
    try:
        dataset.dtype  # noqa: B018
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{dataset.name}' in '{path}' is of a type that cannot be read: {error}") from None
    if dataset.is_virtual:
        raise _refusal(path, dataset.name, "a virtual dataset")
    if dataset.external:
        raise _refusal(path, dataset.name, "a dataset with external storage")


def _refusal(path: Path | str, name: str, what: str) -> ValueError:
    return ValueError(
        f"'{path}' is refused because '{name.lstrip('/')}' is {what}, which reads from other files; "
        "copy the data into one file"
    )
