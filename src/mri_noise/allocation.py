"""How the process takes memory from its system."""

import ctypes
import sys

_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8
_LARGE = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed arrays for the next ones.

    glibc returns each large array to the system when it is freed, and every page of the next one then has to be
    mapped and cleared anew. See mallopt(3).
    """
    _set(_MMAP_THRESHOLD, _LARGE)
    _set(_TRIM_THRESHOLD, _LARGE)


def share_freed_memory() -> None:
    """Let threads that are started from now on take the memory that others freed.

    glibc gives new threads arenas of their own, each of which keeps what was freed in it: a process that computes in
    one thread after the other grows by the memory of several of them. See mallopt(3), M_ARENA_MAX.
    """
    _set(_ARENA_MAX, 1)


def _set(parameter: int, value: int) -> None:
    """Set a parameter of glibc's malloc; nothing where the C library is another one."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(parameter, value)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the device or on the host."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error))
