import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from mri_noise.signals import ASKING, ENDING, Ended, ending_of, held, raise_when_asked_to_end

FAULTS = {"SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS"}
HARMLESS = {"SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"}
IGNORED_BY_PYTHON = {"SIGPIPE", "SIGXFSZ"}


@pytest.fixture
def raising() -> Iterator[None]:
    """Signals raise, as they do in the command."""
    former = {number: signal.getsignal(number) for number in ENDING}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise_when_asked_to_end()
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def test_every_signal_that_ends_a_process_is_known() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the signals are those of Linux")
    others = FAULTS | HARMLESS | IGNORED_BY_PYTHON | {"SIGKILL"}
    assert set(ENDING) == signal.valid_signals() - {signal.Signals[name] for name in others}


def _deliver(number: int, act: Callable[[], None]) -> list[str]:
    """Send a signal within a held block, and return how far things came."""
    steps: list[str] = []
    with pytest.raises(Ended) as caught:
        with held():
            os.kill(os.getpid(), number)
            act()
            steps.append("inside")
        steps.append("after")
    assert caught.value.number == number
    return steps


@pytest.mark.usefixtures("raising")
@pytest.mark.parametrize("number", sorted(set(ENDING) - {signal.SIGALRM}))  # which the tests' own timeout handles
def test_a_signal_waits_for_the_end_of_the_block(number: int) -> None:
    handler = signal.getsignal(number)
    assert _deliver(number, lambda: None) == ["inside"]
    assert signal.getsignal(number) is handler


@pytest.mark.usefixtures("raising")
def test_blocks_can_be_nested_and_the_first_signal_counts() -> None:
    def inner() -> None:
        with held():
            os.kill(os.getpid(), signal.SIGHUP)

    assert _deliver(signal.SIGUSR1, inner) == ["inside"]


@pytest.mark.usefixtures("raising")
def test_a_handler_that_raises_nothing_does_not_hide_the_next_signal() -> None:
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    with pytest.raises(Ended), held():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
    assert seen == [signal.SIGUSR1]


@pytest.mark.usefixtures("raising")
def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_when_asked_to_end()
    with held():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize("number", ASKING)
def test_a_process_that_does_not_care_dies_of_it_after_the_block(number: int) -> None:
    script = (
        "import os, resource, signal, sys\n"
        "from mri_noise.signals import held\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "number = int(sys.argv[1])\n"
        "signal.signal(number, signal.SIG_DFL)\n"
        "with held():\n"
        "    os.kill(os.getpid(), number)\n"
        "    print('inside', flush=True)\n"
        "print('after')\n"
    )
    run = subprocess.run([sys.executable, "-c", script, str(int(number))], capture_output=True, text=True, check=False)
    assert run.returncode == -number, run.stderr
    assert run.stdout == "inside\n"


def test_without_a_signal_nothing_is_raised_in_any_thread() -> None:
    done = []

    def work() -> None:
        with held():
            done.append(threading.current_thread())

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [threading.main_thread(), thread]


def _raised(error: BaseException, while_handling: BaseException | None = None) -> BaseException:
    error.__context__ = while_handling
    return error


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (ValueError(), None),
        (KeyboardInterrupt(), signal.SIGINT),
        (Ended(signal.SIGHUP), signal.SIGHUP),
        (_raised(OSError(), Ended(signal.SIGHUP)), signal.SIGHUP),
        (_raised(KeyboardInterrupt("stopped"), _raised(SystemExit(), Ended(signal.SIGXCPU))), signal.SIGXCPU),
    ],
)
def test_an_error_tells_which_signal_it_comes_from(error: BaseException, number: int | None) -> None:
    assert ending_of(error) == number
    assert str(Ended(signal.SIGTERM)) == ""
    assert str(Ended(signal.SIGTERM, "stopped")) == "stopped"
