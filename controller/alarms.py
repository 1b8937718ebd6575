"""Alarms: when the scheduler looks at which schedule again.

Slots come due by wall time. Here too is how failures set a schedule back: 1, 2, 4 ... 300 seconds, and deaf to changes
while it rests from spinning; those are ages, by monotonic time, since a clock that is put right must not make hours of
them. A schedule has one alarm, of either kind: a later one replaces the earlier, whose entry stays in its heap and is
passed over.
"""

from __future__ import annotations

import heapq
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
        self._back_heap: list[tuple[float, str]] = []
        self._back_at: dict[str, float] = {}
        self._setbacks: dict[str, int] = {}
        self._resting: dict[str, float] = {}

    def set(self, uid: str, at: datetime | None) -> None:
        self._back_at.pop(uid, None)
        if at is None:
            self._at.pop(uid, None)
        elif self._at.get(uid) != at:
            self._at[uid] = at
            heapq.heappush(self._heap, (at, uid))

    def due(self) -> list[str]:
        """Take out whose time has come: the slots, then those set back, each earliest first."""
        now, elapsed, due = self._clock.now(), self._clock.monotonic(), []
        while self._heap and self._heap[0][0] <= now:
            at, uid = heapq.heappop(self._heap)
            if self._at.get(uid) == at:
                del self._at[uid]
                due.append(uid)
        while self._back_heap and self._back_heap[0][0] <= elapsed:
            until, uid = heapq.heappop(self._back_heap)
            if self._back_at.get(uid) == until:
                del self._back_at[uid]
                due.append(uid)
        return due

    def seconds(self, longest: float) -> float:
        """How long until the earliest, `longest` at most."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        while self._back_heap and self._back_at.get(self._back_heap[0][1]) != self._back_heap[0][0]:
            heapq.heappop(self._back_heap)
        soonest = longest
        if self._heap:
            soonest = min(soonest, (self._heap[0][0] - self._clock.now()).total_seconds())
        if self._back_heap:
            soonest = min(soonest, self._back_heap[0][0] - self._clock.monotonic())
        return max(soonest, 0.0)

    def set_back(
        self, uid: str, *, times: int | None = None, deaf: bool = False, longest: float = LONGEST_SETBACK
    ) -> float:
        """Look at it again after a while that doubles each time, up to `longest`; returns the seconds."""
        count = times if times is not None else self._setbacks.get(uid, 0) + 1
        self._setbacks[uid] = count
        seconds = min(FIRST_SETBACK * 2.0 ** min(count - 1, 20), longest)
        until = self._clock.monotonic() + seconds
        self._at.pop(uid, None)
        self._back_at[uid] = until
        heapq.heappush(self._back_heap, (until, uid))
        if deaf:
            self._resting[uid] = until
        return seconds

    def went_well(self, uid: str) -> None:
        self._setbacks.pop(uid, None)

    def rests(self, uid: str) -> bool:
        """Whether it is deaf to changes now, since they are most likely the echo of its own writes."""
        until = self._resting.get(uid)
        if until is not None and until <= self._clock.monotonic():
            del self._resting[uid]
            return False
        return until is not None

    def forget(self, uid: str) -> None:
        self._at.pop(uid, None)
        self._back_at.pop(uid, None)
        self._setbacks.pop(uid, None)
        self._resting.pop(uid, None)
