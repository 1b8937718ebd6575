"""SIGTERM and SIGINT, told to the launch from a thread of their own.

The signals are blocked in every thread and waited for in one, so that no handler runs in the middle of a lock. If the
launch has not ended when most of the grace period is over (a call that cannot be interrupted), the thread says the last
words and ends the process: a summary written by us beats a SIGKILL without one, and open transactions roll back anyway.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sync.stop import Stop, StopReason

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
PATIENCE = 0.8
"""Share of the grace period that the launch may use to end by itself."""

POLL_SECONDS = 0.2


class SignalWatch:
    """Between enter and exit, the signals ask `stop` instead of killing."""

    def __init__(
        self,
        stop: Stop,
        *,
        grace: float,
        last_words: Callable[[], None],
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        self._stop = stop
        self._grace = grace
        self._last_words = last_words
        self._leave = leave
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)

    def __enter__(self) -> Self:
        # Before any other thread exists: threads inherit the mask.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _watch(self) -> None:
        while not self._over.is_set():
            if signal.sigtimedwait(SIGNALS, POLL_SECONDS) is not None:
                self._stop.request(StopReason.SIGNAL)
                break
        else:
            return
        if not self._over.wait(self._grace * PATIENCE):
            self._last_words()
            self._leave(1)
