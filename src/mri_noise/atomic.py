"""Files that are written whole or not at all.

A file is written under another name, as a *draft* beside its target, and then renamed. A draft's name says of which
file, and on which computer: ``.out.h5.node7.0123456789abcdef.draft``. Its writer holds a lock on it (``flock``), which
ends with the process however that ends. So the next writer in the folder finds out which drafts killed processes have
left, and removes them. It leaves those of other computers, whose locks cannot be relied on where the folder is on the
network, and all where the file system or the operating system has no such locks.
"""

import io
import os
import platform
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mri_noise.signals import held

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

T = TypeVar("T")

_MOST_OF_NAME = 40
"""Characters of the target's name in that of a draft, which must not be longer than 255 bytes."""
_HOST = re.sub(r"[^A-Za-z0-9-]", "_", platform.node())[:32]
_OF_THIS_COMPUTER = re.compile(rf"\..*\.{_HOST}\.[0-9a-f]{{16}}\.draft", re.DOTALL)

_own: set[Path] = set()
"""The drafts of this process: on network file systems a lock is the process's, and would not stop itself."""


class Draft(io.FileIO):
    """A file in the making, beside its target, which remembers its first failure instead of raising it.

    HDF5 cannot close a file after a failed write, and then crashes the interpreter at its exit; and it drops what is
    raised in its calls of Python. A draft therefore ignores whatever follows a failure, and :meth:`check` raises it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name[:_MOST_OF_NAME]}.{_HOST}.{secrets.token_hex(8)}.draft")
        self._failure: BaseException | None = None
        super().__init__(self.path, "x+")
        _own.add(self.path)

    def write(self, data: "ReadableBuffer", /) -> int:
        left = memoryview(data).cast("B")
        n_bytes = len(left)
        self.attempt(lambda: self._write_all(left), None)
        return n_bytes

    def truncate(self, size: int | None = None, /) -> int:
        return self.attempt(lambda: super(Draft, self).truncate(size), 0)

    def attempt(self, operation: Callable[[], T], otherwise: T) -> T:
        """Do something with this file unless it has failed already; whatever is raised makes it fail."""
        if self._failure is not None:
            return otherwise
        try:
            return operation()
        except BaseException as error:
            self._failure = error
            return otherwise

    def check(self) -> None:
        """Raise what has failed so far; ValueError where it was the file system that failed."""
        if isinstance(self._failure, OSError):
            raise _cannot_write(self.target, self._failure) from None
        if self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Put everything on the disk; ValueError if that fails."""
        self.check()
        try:
            os.fsync(self.fileno())
        except OSError as error:
            raise _cannot_write(self.target, error) from None

    def take_place(self) -> None:
        """Become the target; ValueError if that fails."""
        if sys.platform == "win32":
            self.close()  # it renames no open file
        try:
            self.path.replace(self.target)
        except OSError as error:
            raise _cannot_write(self.target, error) from None

    def discard(self) -> None:
        """Vanish, unless it has become the target."""
        with suppress(OSError):
            self.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        _own.discard(self.path)

    def lock(self) -> bool:
        """Hold a lock for as long as it is open; False if it was taken for an abandoned one before it had it."""
        if sys.platform == "win32":
            return True
        try:
            fcntl.flock(self, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(self.path.stat(), os.fstat(self.fileno()))
        except (BlockingIOError, FileNotFoundError):
            return False
        except OSError:  # the file system has no locks
            return True

    def _write_all(self, left: memoryview) -> None:
        while left:
            left = left[super().write(left) :]


@contextmanager
def replacing(path: Path) -> Iterator[Draft]:
    """Yield a new file beside ``path``, which takes its place at the end, or vanishes if anything is raised.

    Raises
    ------
    ValueError
        One sentence: at the start, if ``path`` cannot be written; at the end, if writing failed.
    """
    with replacing_all([path]) as (draft,):
        yield draft


@contextmanager
def replacing_all(paths: Sequence[Path]) -> Iterator[tuple[Draft, ...]]:
    """Yield new files that belong together: each takes its place when all are on the disk, or all vanish.

    They are renamed one right after the other, with signals held back. Only what kills a process outright, or a file
    system that refuses one of them in that moment, can end the row before its end.

    Raises
    ------
    ValueError
        One sentence: at the start, if one cannot be written; at the end, if writing failed.
    """
    for path in paths:
        check_writable(path)
    drafts: list[Draft] = []
    try:
        with held():
            for path in paths:
                target = Path(os.path.realpath(path))
                _remove_abandoned(target.parent)
                drafts.append(_new_draft(target))
        yield tuple(drafts)
        with held():
            for draft in drafts:
                draft.finish()
            for draft in drafts:
                draft.take_place()
    finally:
        with held():
            for draft in drafts:
                draft.discard()


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


def _new_draft(target: Path) -> Draft:
    try:
        while not (draft := Draft(target)).lock():
            draft.discard()
    except OSError as error:
        raise _cannot_write(target, error) from None
    return draft


def _remove_abandoned(folder: Path) -> None:
    """Remove the drafts that no process of this computer holds any more."""
    with suppress(OSError):
        for path in [each for each in folder.iterdir() if _OF_THIS_COMPUTER.fullmatch(each.name)]:
            if path not in _own:
                _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    if sys.platform == "win32":
        return
    with suppress(OSError), path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _cannot_write(path: Path, error: OSError) -> ValueError:
    return ValueError(f"cannot write '{path}' ({error.strerror}); free the space or give another path")
