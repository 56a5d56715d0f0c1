"""The signals that end a process: held back where ending would do harm, and raised where something is to be cleared."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

_ASKING = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGBREAK", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGPWR")
_OTHERS = ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGSTKFLT")

ASKING = tuple(signal.Signals[name] for name in _ASKING if hasattr(signal, name))
"""Those by which a terminal, a user or a batch system asks a process to end."""

ENDING = (
    *ASKING,
    *(signal.Signals[name] for name in _OTHERS if hasattr(signal, name)),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
)
"""All that end a process which does not care, but KILL, which nobody can hold, and those of a fault of its own."""


class Ended(KeyboardInterrupt):
    """A signal asks this process to end.

    Attributes
    ----------
    number
        Number of the signal.
    """

    def __init__(self, number: int, sentence: str = "") -> None:
        super().__init__(*[sentence] * bool(sentence))
        self.number = number


def ending_of(error: BaseException | None) -> int | None:
    """The number of the signal that an exception is, or was raised in the handling of; None if there is none."""
    number: int | None = None
    while error is not None:
        if isinstance(error, Ended):
            return error.number
        if isinstance(error, KeyboardInterrupt):
            number = signal.SIGINT
        error = error.__context__
    return number


def raise_when_asked_to_end() -> None:
    """From now on raise :class:`Ended`, which lets every writer clear up, for all that would end this process at once.

    What somebody chose to ignore stays ignored, such as SIGHUP below ``nohup``.
    """
    for number in ENDING:
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


@contextmanager
def held() -> Iterator[None]:
    """Hold back every signal that would end this process, or raise something in it, until the end of the block.

    A library that calls Python code, such as HDF5, cannot bear an exception in it. What was held takes effect at the
    end. In any other thread than the main one there is nothing to hold: Python handles signals in the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hold = _Hold()
    try:
        hold.begin()
        yield
    finally:
        hold.end()


class _Hold:
    """A handler that notes signals; once ended it passes them on, so that it may be left anywhere."""

    def __init__(self) -> None:
        self._former: Mapping[int, signal._HANDLER] = {number: signal.getsignal(number) for number in ENDING}
        self._noted: list[tuple[int, FrameType | None]] | None = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._noted is None:
            self._pass_on(number, frame)
        else:
            self._noted.append((number, frame))

    def begin(self) -> None:
        """Take over what is neither ignored nor handled outside Python."""
        for number, handler in self._former.items():
            if handler not in {None, signal.SIG_IGN}:
                signal.signal(number, self)

    def end(self) -> None:
        """Give back, and let what was noted happen; the first that raises is the last."""
        try:
            for number, handler in self._former.items():
                if signal.getsignal(number) is self:
                    signal.signal(number, handler)
        finally:
            noted, self._noted = self._noted or [], None
            for number, frame in noted:
                self._pass_on(number, frame)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        handler = self._former[number]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
