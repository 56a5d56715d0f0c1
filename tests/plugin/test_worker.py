import gc
import time
import weakref
from collections.abc import Iterator
from threading import Event, get_ident

import pytest
import torch
from pytestqt.qtbot import QtBot

from mri_noise.plugin import worker
from mri_noise.plugin.worker import PAUSE, SILENT, Handlers, Pace, Runner, paced, rest_after, sentence_of
from mri_noise.session.jobs import SharedCache, ahead
from tests.plugin.users import PATIENCE
from tests.session.examples import EXPERIMENT, OPENED


class Tape:
    """Writes down what a runner tells."""

    def __init__(self) -> None:
        self.steps: list[object] = []
        self.ends: list[str] = []

    def handlers(self) -> Handlers:
        return Handlers(
            on_step=self.steps.append,
            on_end=lambda: self.ends.append("end"),
            on_cancelled=lambda: self.ends.append("cancelled"),
            on_error=self.ends.append,
        )


class Big:
    """Something that should not outlive a run."""


class Computation:
    """Steps that hold something big, and tell when they are closed."""

    def __init__(self, error: Exception | None = None, n_steps: int = 3) -> None:
        self.error, self.n_steps = error, n_steps
        self.closed = False
        self.big: weakref.ref[Big] | None = None

    def __call__(self) -> Iterator[int]:
        big = Big()
        self.big = weakref.ref(big)
        try:
            for step in range(self.n_steps):
                time.sleep(0.06)
                yield step
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True
            del big


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "end"),
        (ValueError("the scan is empty; open another"), "The scan is empty; open another."),
        (torch.OutOfMemoryError("CUDA out of memory"), "There is not enough memory"),
        (FileNotFoundError(2, "No such file", "a.h5"), "[Errno 2] No such file: 'a.h5'."),
    ],
)
def test_a_run_ends_once_and_lets_go_of_its_memory(qtbot: QtBot, error: Exception | None, said: str) -> None:
    runner, tape, computation = Runner(), Tape(), Computation(error)
    runner.start(computation, tape.handlers())
    qtbot.waitUntil(lambda: bool(tape.ends), timeout=PATIENCE)
    assert tape.steps[0] == 0
    assert error is not None or tape.steps[-1] == 2
    assert len(tape.ends) == 1
    assert tape.ends[0].startswith(said)
    assert not runner.busy
    assert computation.closed
    computation.error = None
    gc.collect()
    assert computation.big is not None
    assert computation.big() is None


def test_what_is_computed_ahead_leaves_objects_of_qt_to_the_thread_of_the_window(qtbot: QtBot) -> None:
    collected_in: list[int] = []

    def note(_phase: str, _info: dict[str, int]) -> None:
        collected_in.append(get_ident())

    runner = Runner()
    gc.disable()
    gc.callbacks.append(note)
    try:
        runner.start(lambda: ahead(OPENED, 1, EXPERIMENT, SharedCache()), SILENT)
        qtbot.waitUntil(lambda: not runner.busy, timeout=PATIENCE)
    finally:
        gc.callbacks.remove(note)
        gc.enable()
    assert set(collected_in) == {get_ident()}


def test_cancel_ends_a_run_at_its_next_step_and_frees_the_memory(qtbot: QtBot) -> None:
    runner, tape, computation = Runner(), Tape(), Computation(n_steps=1000)
    runner.start(computation, tape.handlers())
    qtbot.waitUntil(lambda: bool(tape.steps), timeout=PATIENCE)
    runner.cancel()
    qtbot.waitUntil(lambda: bool(tape.ends), timeout=PATIENCE)
    assert tape.ends == ["cancelled"]
    gc.collect()
    assert computation.closed
    assert computation.big is not None
    assert computation.big() is None


def test_a_second_run_waits_for_the_end_of_the_first(qtbot: QtBot) -> None:
    runner, first, second = Runner(), Tape(), Tape()
    runner.start(Computation(n_steps=1000), first.handlers())
    runner.start(Computation(), second.handlers())
    runner.start(Computation(n_steps=2), second.handlers())
    qtbot.waitUntil(lambda: bool(second.ends), timeout=PATIENCE)
    assert first.ends == ["cancelled"]
    assert second.steps[-1] == 1
    assert second.ends == ["end"]


def test_a_run_that_is_told_to_stop_after_its_last_step_ends_too(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    ending, told = Event(), Event()

    def hold() -> None:
        ending.set()
        assert told.wait(PATIENCE / 1000)

    monkeypatch.setattr(worker, "give_back_freed_memory", hold)
    runner, first, second = Runner(), Tape(), Tape()
    runner.start(Computation(n_steps=1), first.handlers())
    assert ending.wait(PATIENCE / 1000)
    runner.start(Computation(n_steps=1), second.handlers())
    told.set()
    qtbot.waitUntil(lambda: bool(second.ends), timeout=PATIENCE)
    assert first.ends == second.ends == ["end"]


def test_an_unforeseen_error_says_where_its_trace_is() -> None:
    assert "KeyError" in sentence_of(KeyError("name"))
    assert "trace" in sentence_of(RuntimeError("shapes differ"))


def test_gradients_are_off_in_the_thread(qtbot: QtBot) -> None:
    def ask() -> Iterator[bool]:
        yield torch.is_grad_enabled()

    tape = Tape()
    Runner().start(ask, tape.handlers())
    qtbot.waitUntil(lambda: bool(tape.ends), timeout=PATIENCE)
    assert tape.steps == [False]


def test_steps_that_the_window_has_no_time_for_are_dropped_but_not_the_last() -> None:
    pace = Pace()
    pace.ready.set()
    steps = paced(range(6), pace)
    assert next(steps) == 0
    pace.ready.set()
    assert next(steps) == 1
    assert list(steps) == [5]
    assert list(paced([], pace)) == []


def test_a_stop_gives_the_step_that_was_reached() -> None:
    pace, computed = Pace(), []

    def compute() -> Iterator[int]:
        for step in range(10):
            computed.append(step)
            if step == 3:
                pace.stopped.set()
            yield step

    assert list(paced(compute(), pace)) == [3]
    assert computed == [0, 1, 2, 3]


def test_a_window_that_draws_slowly_is_not_sent_more_than_it_takes(qtbot: QtBot) -> None:
    alive: weakref.WeakSet[Big] = weakref.WeakSet()
    most = 0

    def compute() -> Iterator[Big]:
        for _ in range(300):
            made = Big()
            alive.add(made)
            yield made

    def draw(_step: object) -> None:
        nonlocal most
        time.sleep(0.02)
        most = max(most, len(alive))

    tape = Tape()
    handlers = tape.handlers()
    handlers.on_step = draw
    Runner().start(compute, handlers)
    qtbot.waitUntil(lambda: bool(tape.ends), timeout=PATIENCE)
    assert tape.ends == ["end"]
    assert most < 10


def test_a_window_that_draws_slowly_rests_longer_but_not_for_ever() -> None:
    assert rest_after(float(PAUSE)) == 0
    assert rest_after(100.0) == pytest.approx(900)
    assert rest_after(5000.0) == 1000
