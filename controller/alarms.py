"""Alarms: when the scheduler looks at which schedule again, as a heap of wall-clock times.

A later alarm for the same schedule replaces the earlier one; the old entry stays in the heap and is passed over. Here
too is how failures set a schedule back: 1, 2, 4 ... 300 seconds, and deaf to changes while it rests from spinning.
"""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from controller.clock import Clock

FIRST_SETBACK, LONGEST_SETBACK = 1.0, 300.0


class Alarms:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[datetime, str]] = []
        self._at: dict[str, datetime] = {}
        self._setbacks: dict[str, int] = {}
        self._resting: dict[str, datetime] = {}

    def set(self, uid: str, at: datetime | None) -> None:
        if at is None:
            self._at.pop(uid, None)
        elif self._at.get(uid) != at:
            self._at[uid] = at
            heapq.heappush(self._heap, (at, uid))

    def due(self) -> list[str]:
        """Take out whose time has come, earliest first."""
        now, due = self._clock.now(), []
        while self._heap and self._heap[0][0] <= now:
            at, uid = heapq.heappop(self._heap)
            if self._at.get(uid) == at:
                del self._at[uid]
                due.append(uid)
        return due

    def seconds(self, longest: float) -> float:
        """How long until the earliest, `longest` at most."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return longest
        return min(max((self._heap[0][0] - self._clock.now()).total_seconds(), 0.0), longest)

    def set_back(
        self, uid: str, *, times: int | None = None, deaf: bool = False, longest: float = LONGEST_SETBACK
    ) -> float:
        """Look at it again after a while that doubles each time, up to `longest`; returns the seconds."""
        count = times if times is not None else self._setbacks.get(uid, 0) + 1
        self._setbacks[uid] = count
        seconds = min(FIRST_SETBACK * 2.0 ** min(count - 1, 20), longest)
        at = self._clock.now() + timedelta(seconds=seconds)
        self.set(uid, at)
        if deaf:
            self._resting[uid] = at
        return seconds

    def went_well(self, uid: str) -> None:
        self._setbacks.pop(uid, None)

    def rests(self, uid: str) -> bool:
        """Whether it is deaf to changes now, since they are most likely the echo of its own writes."""
        until = self._resting.get(uid)
        if until is not None and until <= self._clock.now():
            del self._resting[uid]
            return False
        return until is not None

    def forget(self, uid: str) -> None:
        self._at.pop(uid, None)
        self._setbacks.pop(uid, None)
        self._resting.pop(uid, None)
