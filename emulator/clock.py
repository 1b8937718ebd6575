"""The emulator's two clocks.

`now` decides which day it is and which days are fresh; tests freeze and move it. `elapsed` decides when tokens expire
and quotas refill; it runs in real time, as the waits of a client do, and jumps only when told to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Frozen at `now` when that is given, else the real time; movable in both cases."""

    def __init__(self, now: datetime | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._frozen = now
        self._moved = timedelta()
        self._skipped = 0.0

    def now(self) -> datetime:
        return (self._frozen or datetime.now(UTC)) + self._moved

    def elapsed(self) -> float:
        return self._monotonic() + self._skipped

    def set(self, now: datetime | None) -> None:
        """Freeze the calendar at a moment; None lets it follow the real time again."""
        self._frozen = now
        self._moved = timedelta()

    def shift(self, by: timedelta) -> None:
        """Move only the calendar."""
        self._moved += by

    def advance(self, seconds: float) -> None:
        """Move both clocks forward: the calendar, and what tokens and quotas go by."""
        self._moved += timedelta(seconds=seconds)
        self._skipped += seconds
