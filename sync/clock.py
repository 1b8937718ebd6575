"""Time as the sync sees it: wall clock, monotonic clock and waiting, behind one small door.

Everything that measures, waits or names a day takes a Clock, so that tests run hours of backoff in no time. Two
adapters of equal standing: SystemClock for life, ManualClock for tests and for replaying an incident.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of time. Safe to use from many threads."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set, at most so long; True when it is set."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))


class ManualClock:
    """A clock that moves only when somebody waits on it or advances it."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = threading.Lock()
        self.waits: list[float] = []
        """Every wait that was asked for, in order: what a test wants to know of a backoff."""

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        with self._lock:
            return self._elapsed

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if event.is_set():
            return True
        with self._lock:
            self.waits.append(seconds)
            self._elapsed += max(0.0, seconds)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._elapsed += seconds
