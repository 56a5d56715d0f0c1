"""The one way that the plugin computes: a generator in a thread, whose steps arrive in the window."""

import atexit
import gc
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar, no_type_check

import torch
from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QTimer

from mri_noise.machine.allocation import give_back_freed_memory, is_out_of_memory

T = TypeVar("T")

PAUSE = 50
"""[ms] for the user after each step, in which the window draws it: a window takes at most 20 a second."""
_SHARE, _LONGEST_REST = 0.1, 1000.0
"""A window that draws slowly spends this share of its time on steps, or takes one in so many [ms]."""
_AWAITED = 2
"""Steps that the user waits for, such as an image and a first map: the window does not rest between these."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a window tells the thread that computes for it: that it can take a step, and that it wants no more."""

    ready: Event = field(default_factory=Event)
    stopped: Event = field(default_factory=Event)


class ReleasingWorker(GeneratorWorker):
    """A generator worker that reports torch's errors, and lets go of its memory however it ends.

    superqt takes a RuntimeError, which most of torch's errors are, for a deleted worker and says nothing; napari's own
    listener to a worker's errors fails with PySide6; and napari keeps every worker for the life of its window, so that
    an unfinished generator would never be closed. An error is therefore returned, as a :class:`Failure`.
    """

    def __init__(self, make: Callable[..., Any], steps: Callable[[], Iterator[Any]], pace: Pace) -> None:
        super().__init__(make, steps, pace)
        self._pace = pace

    def quit(self) -> None:
        """Stop after the step that is being computed.

        superqt is not told: asked to stop a worker whose generator has just ended, it says nothing of its end.
        """
        self._pace.stopped.set()

    def work(self) -> Any:
        """Run the generator; close it in this thread, and give its memory back."""
        try:
            result = super().work()
            return _failure(result) if isinstance(result, RuntimeError) else result
        except Exception as error:
            return _failure(error)
        finally:
            self._gen.close()
            give_back_freed_memory()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a computation ended early."""

    error: Exception


def _failure(error: Exception) -> Failure:
    traceback.clear_frames(error.__traceback__)  # notifications keep it, and with it the tensors
    return Failure(error)


def rest_after(drawing: float) -> float:
    """How long a window is left alone after a step that it was busy with for so long, both in ms."""
    return min(drawing * (1 / _SHARE - 1), _LONGEST_REST) if drawing > PAUSE else 0.0


def paced(steps: Iterable[T], pace: Pace) -> Generator[T, None, bool]:
    """Pass on the latest step whenever the window is ready; the last one always, also that before a stop.

    Steps that the window has no time for are dropped: were they queued, they would fill the memory. Returns whether
    it was stopped before the steps ended.
    """
    if pace.stopped.is_set():
        return True
    waiting: list[T] = []
    for step in steps:
        waiting = [step]
        if pace.ready.is_set():
            pace.ready.clear()
            yield waiting.pop()
        if pace.stopped.is_set():
            yield from waiting
            return True
    yield from waiting
    return False


def sentence_of(error: BaseException) -> str:
    """What to tell the user: the core's own sentence, or what happened and what to do."""
    if is_out_of_memory(error):
        return "There is not enough memory for this run; choose a smaller model, or the device cpu."
    said = str(error).strip().rstrip(".")
    if not _is_foreseen(error) or not said:
        said = f"an unexpected error, {type(error).__name__}: {said}; the notification at the lower right has its trace"
    return f"{said[0].upper()}{said[1:]}."


def _is_foreseen(error: BaseException) -> bool:
    return isinstance(error, ValueError | TypeError | IndexError | OSError) or is_out_of_memory(error)


@dataclass(slots=True)
class Handlers:
    """What is called in the window's thread."""

    on_step: Callable[[Any], None]
    on_end: Callable[[], None]
    on_cancelled: Callable[[], None]
    on_error: Callable[[str], None]


@atexit.register
def _end_threads() -> None:
    """Let computations end before Python does: one that tells of its end afterwards aborts the process."""
    ReleasingWorker.await_workers()


def _nothing(*_: object) -> None:
    """Do nothing."""


def _look_through() -> None:
    """Let Python look through all objects now, rather than in the midst of a run: that takes a third of a second.

    In the window's thread, since what goes may be Qt's: in another one, PySide6 would wait for ever.
    """
    gc.collect()


SILENT = Handlers(on_step=_nothing, on_end=_look_through, on_cancelled=_nothing, on_error=_nothing)
"""For what is computed ahead, and is not missed if it fails."""


class Runner:
    """Runs one computation at a time; starting another cancels the former and waits for its end."""

    def __init__(self) -> None:
        self._worker: ReleasingWorker | None = None
        self._next: Callable[[], None] | None = None
        self._left = False

    @property
    def busy(self) -> bool:
        """Whether a computation is on."""
        return self._worker is not None

    def start(self, steps: Callable[[], Iterator[Any]], handlers: Handlers) -> None:
        """Iterate the steps in a thread."""
        if self._worker is None:
            self._start(steps, handlers)
        else:
            self._next = lambda: self._start(steps, handlers)
            self._worker.quit()

    def cancel(self) -> None:
        """Stop at the next step."""
        self._next = None
        if self._worker is not None:
            self._worker.quit()

    def leave(self) -> None:
        """Stop at the next step, and tell nothing any more: who listened is gone."""
        self._left = True
        self.cancel()

    def _start(self, steps: Callable[[], Iterator[Any]], handlers: Handlers) -> None:
        pace, awaited = Pace(), iter(range(_AWAITED))
        pace.ready.set()
        worker = create_worker(
            _stepwise, steps, pace, _worker_class=ReleasingWorker, _ignore_errors=True, _start_thread=False
        )

        def take(step: object) -> None:
            began = time.perf_counter()
            try:
                self._tell(lambda: handlers.on_step(step))
            finally:
                QTimer.singleShot(PAUSE, lambda: drawn_since(began))

        def drawn_since(began: float) -> None:
            drawing = 1e3 * (time.perf_counter() - began) - PAUSE
            rest = rest_after(drawing) if next(awaited, None) is None else 0
            QTimer.singleShot(round(rest), pace.ready.set)

        worker.yielded.connect(take)
        worker.returned.connect(lambda result: self._returned(result, handlers))
        worker.warned.connect(lambda warning: notification_manager.receive_warning(*warning))
        self._worker = worker
        worker.start()

    def _returned(self, result: object, handlers: Handlers) -> None:
        if isinstance(result, Failure):
            self._failed(result.error, handlers.on_error)
        else:
            self._ended(handlers.on_cancelled if result else handlers.on_end)

    def _failed(self, error: Exception, on_error: Callable[[str], None]) -> None:
        if not _is_foreseen(error):
            notification_manager.receive_error(type(error), error, error.__traceback__)
        self._ended(lambda: on_error(sentence_of(error)))

    def _ended(self, then: Callable[[], None]) -> None:
        following, self._next, self._worker = self._next, None, None
        self._tell(then)
        if following is not None:
            following()

    def _tell(self, what: Callable[[], None]) -> None:
        if not self._left:
            what()


@no_type_check  # a checked generator function is no longer recognised as one
def _stepwise(steps: Callable[[], Iterator[Any]], pace: Pace) -> Generator[Any, None, bool]:
    """The steps, without gradients; torch's grad mode is one of the thread that computes."""
    with torch.no_grad(), closing(steps()) as computed:
        return (yield from paced(computed, pace))
