"""Files that are written whole or not at all."""

import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Draft(io.FileIO):
    """A file in the making, beside its target, which remembers its first failure instead of raising it.

    HDF5 cannot close a file after a failed write, and then crashes the interpreter at its exit. A draft therefore
    drops whatever follows a failure, and :meth:`check` raises it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{uuid4().hex}{target.suffix}")
        self._failure: OSError | None = None
        super().__init__(self.path, "x+")

    def write(self, data: "ReadableBuffer", /) -> int:
        left = memoryview(data).cast("B")
        n_bytes = len(left)
        while left and self._failure is None:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self._failure = error
        return n_bytes

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size) if self._failure is None else 0
        except OSError as error:
            self._failure = error
            return 0

    def check(self) -> None:
        """Raise ValueError if anything written so far has failed."""
        if self._failure is not None:
            raise _cannot_write(self.target, self._failure) from None

    def finish(self) -> None:
        """Put everything on the disk; ValueError if that fails."""
        self.check()
        try:
            os.fsync(self.fileno())
        except OSError as error:
            raise _cannot_write(self.target, error) from None


@contextmanager
def replacing(path: Path) -> Iterator[Draft]:
    """Yield a new file beside ``path``, which takes its place at the end, or vanishes if anything is raised.

    Raises
    ------
    ValueError
        One sentence: at the start, if ``path`` cannot be written; at the end, if writing failed.
    """
    check_writable(path)
    try:
        draft = Draft(Path(os.path.realpath(path)))
    except OSError as error:
        raise _cannot_write(path, error) from None
    try:
        with draft:
            yield draft
            draft.finish()
        _take_place(draft)
    finally:
        draft.path.unlink(missing_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back the user's interrupt until the end of the block: HDF5 crashes if its use of a draft is broken off."""
    handle = signal.getsignal(signal.SIGINT)
    if not callable(handle) or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *interrupt: interrupts.append(interrupt))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handle)
        if interrupts:
            handle(*interrupts[0])


def check_writable(path: Path) -> None:
    """Raise ValueError, in one sentence, if a file cannot be written here; leaves no trace."""
    try:
        if path.is_dir():
            raise ValueError(f"cannot write '{path}' because it is a folder; give the name of a file in it")
        if not path.absolute().parent.is_dir():
            raise ValueError(f"cannot write '{path}' because there is no folder '{path.parent}'; create it first")
        if path.exists() and not path.is_file():
            raise ValueError(f"cannot write '{path}' because it is not a regular file; give another name")
        if not all(os.access(place, os.W_OK) for place in (path, path.absolute().parent) if place.exists()):
            raise ValueError(f"cannot write '{path}' because it, or its folder, is write-protected; give another path")
    except OSError as error:
        raise _cannot_write(path, error) from None


def _take_place(draft: Draft) -> None:
    try:
        draft.path.replace(draft.target)
    except OSError as error:
        raise _cannot_write(draft.target, error) from None


def _cannot_write(path: Path, error: OSError) -> ValueError:
    return ValueError(f"cannot write '{path}' ({error.strerror}); free the space or give another path")
