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


def give_back_freed_memory() -> None:
    """Return to the system what was freed, also where something that is still used lies behind it.

    Else a window that computes again and again grows, though it holds no more. See malloc_trim(3).
    """
    _call("malloc_trim", 0)


def _set(parameter: int, value: int) -> None:
    _call("mallopt", parameter, value)


def _call(name: str, *arguments: int) -> None:
    """Call a function of glibc; nothing where the C library is another one."""
    if not sys.platform.startswith("linux"):
        return
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the device or on the host."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error))
