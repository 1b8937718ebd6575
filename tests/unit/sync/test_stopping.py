"""Time, stopping, and signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from sync.clock import ManualClock, SystemClock
from sync.errors import Interrupted
from sync.signals import SignalWatch
from sync.stop import Stop, StopReason
from sync.switch import Switch

START = datetime(2026, 6, 15, 4, 0, tzinfo=UTC)


def a_stop(clock=None, soft=95.0, hard=100.0, grace=30.0) -> Stop:
    return Stop(clock or ManualClock(START), soft_deadline=soft, hard_deadline=hard, grace=grace)


def tell(watch: SignalWatch, number: signal.Signals) -> None:
    """Signal the watching thread alone: other threads of the test runner do not block what a launch's threads do."""
    signal.pthread_kill(watch._thread.ident, number)


def test_nothing_stops_before_its_time():
    stop = a_stop()
    stop.check()
    stop.sleep(90)
    assert stop.reason is None
    assert stop.abort_at() == 100


def test_the_soft_deadline_stops():
    clock = ManualClock(START)
    stop = a_stop(clock)
    clock.advance(95)
    assert stop.reason is StopReason.SOFT_DEADLINE
    with pytest.raises(Interrupted, match="soft deadline"):
        stop.check()


def test_a_pause_across_the_soft_deadline_is_not_begun():
    clock = ManualClock(START)
    stop = a_stop(clock)
    clock.advance(50)
    with pytest.raises(Interrupted, match="does not fit"):
        stop.sleep(46)
    assert clock.waits == []


def test_a_request_to_stop_leaves_half_the_grace_to_requests_in_flight():
    stop = a_stop()
    stop.request(StopReason.SIGNAL)
    assert stop.abort_at() == 15
    with pytest.raises(Interrupted, match="signal"):
        stop.sleep(0)


def test_a_fatal_error_outranks_the_signal_and_leaves_nothing():
    stop = a_stop()
    stop.request(StopReason.SIGNAL)
    stop.request(StopReason.FATAL)
    stop.request(StopReason.SIGNAL)
    assert stop.reason is StopReason.FATAL
    assert stop.abort_at() == 0


def test_sleepers_wake_when_told_to_stop():
    clock = SystemClock()
    stop = a_stop(clock, clock.monotonic() + 60, clock.monotonic() + 60)
    caught: list[Interrupted] = []

    def sleep() -> None:
        try:
            stop.sleep(50)
        except Interrupted as error:
            caught.append(error)

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    stop.request(StopReason.SIGNAL)
    sleeper.join(10)
    assert caught


def test_the_manual_clock_moves_when_waited_on():
    clock = ManualClock(START)
    event = threading.Event()
    assert clock.wait(event, 5) is False
    assert (clock.now() - START).total_seconds() == clock.monotonic() == 5
    event.set()
    assert clock.wait(event, 5) is True
    assert clock.monotonic() == 5


def test_the_system_clock_is_aware():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.wait(threading.Event(), -1) is False


def test_a_signal_asks_the_stop_and_a_launch_that_ends_is_left_alone():
    left: list[int] = []
    clock = SystemClock()
    stop = a_stop(clock, clock.monotonic() + 60, clock.monotonic() + 60)
    with SignalWatch(stop, grace=30, last_words=lambda: left.append(-1), leave=left.append) as watch:
        tell(watch, signal.SIGTERM)
        with pytest.raises(Interrupted):
            stop.sleep(20)
    assert left == []


def test_a_launch_that_hangs_gets_last_words():
    left: list[object] = []
    gone = threading.Event()

    def leave(code: int) -> None:
        left.append(code)
        gone.set()

    clock = SystemClock()
    stop = a_stop(clock, clock.monotonic() + 60, clock.monotonic() + 60)
    with SignalWatch(stop, grace=0.1, last_words=lambda: left.append("words"), leave=leave) as watch:
        tell(watch, signal.SIGINT)
        assert gone.wait(20)
    assert left == ["words", 1]


def test_afterwards_the_signals_are_as_before():
    program = (
        "import os, signal\n"
        "from sync.clock import SystemClock\n"
        "from sync.signals import SignalWatch\n"
        "from sync.stop import Stop\n"
        "with SignalWatch(Stop(SystemClock(), soft_deadline=1e12, hard_deadline=1e12, grace=1), grace=1, last_words=print):\n"
        "    pass\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('still here')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGTERM
    assert ended.stdout == b""


WORDS = {
    "no directory": (None, ""),
    "no file": ("", ""),
    "run": ("run\n", ""),
    "empty": ("  ", ""),
    "drain: the operator begins nothing, what runs goes on": ("drain\n", ""),
    "hold: likewise": (" HOLD ", ""),
    "stop": ("Stop\n", "stop"),
    "a spelling mistake": ("runn", "runn"),
    "no text": (b"\xff\xfe", "\ufffd\ufffd"),
}


@pytest.mark.parametrize(("written", "word"), WORDS.values(), ids=WORDS.keys())
def test_a_switch_says_stop_unless_its_word_lets_what_runs_go_on(tmp_path, written, word):
    if written is None:
        assert Switch().closed() == Switch(tmp_path / "none").closed() == word
        return
    if written:
        (tmp_path / "mode").write_bytes(written if isinstance(written, bytes) else written.encode())
    assert Switch(tmp_path).closed() == word
