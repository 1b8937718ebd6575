"""Alarms: when the scheduler looks at which schedule again.

Slots come due by wall time. Here too is how failures set a schedule back: 1, 2, 4 ... 300 seconds, and deaf to changes
while it rests from spinning; those are ages, by monotonic time, since a clock that is put right must not make hours of
them. A schedule has one alarm, of either kind: a later one replaces the earlier, whose entry stays in its heap and is
passed over.
"""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from controller.clock import Clock

T = TypeVar("T", datetime, float)
FIRST_SETBACK, LONGEST_SETBACK = 1.0, 300.0


class _Times(Generic[T]):
    """One moment for each, of one clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[T, str]] = []
        self._at: dict[str, T] = {}

    def kept(self) -> int:
        return len(self._heap)

    def set(self, uid: str, at: T) -> None:
        if self._at.get(uid) != at:
            self._at[uid] = at
            heapq.heappush(self._heap, (at, uid))

    def drop(self, uid: str) -> None:
        self._at.pop(uid, None)

    def first(self) -> T | None:
        """The earliest that counts still."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: T) -> list[str]:
        """Take out whose time has come, earliest first."""
        due = []
        while (at := self.first()) is not None and at <= now:
            due.append(heapq.heappop(self._heap)[1])
            del self._at[due[-1]]
        return due


class Alarms:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots: _Times[datetime] = _Times()
        self._backs: _Times[float] = _Times()
        self._setbacks: dict[str, int] = {}
        self._resting: dict[str, float] = {}

    def kept(self) -> int:
        """Entries in memory, those that are passed over too."""
        return self._slots.kept() + self._backs.kept()

    def set(self, uid: str, at: datetime | None) -> None:
        self._backs.drop(uid)
        if at is None:
            self._slots.drop(uid)
        else:
            self._slots.set(uid, at)

    def due(self) -> list[str]:
        """Take out whose time has come: the slots, then those set back, each earliest first."""
        return self._slots.due(self._clock.now()) + self._backs.due(self._clock.monotonic())

    def seconds(self, longest: float) -> float:
        """How long until the earliest, `longest` at most."""
        soonest, slot, back = longest, self._slots.first(), self._backs.first()
        if slot is not None:
            soonest = min(soonest, (slot - self._clock.now()).total_seconds())
        if back is not None:
            soonest = min(soonest, back - self._clock.monotonic())
        return max(soonest, 0.0)

    def set_back(
        self, uid: str, *, times: int | None = None, deaf: bool = False, longest: float = LONGEST_SETBACK
    ) -> float:
        """Look at it again after a while that doubles each time, up to `longest`; returns the seconds."""
        count = times if times is not None else self._setbacks.get(uid, 0) + 1
        self._setbacks[uid] = count
        seconds = min(FIRST_SETBACK * 2.0 ** min(count - 1, 20), longest)
        until = self._clock.monotonic() + seconds
        self._slots.drop(uid)
        self._backs.set(uid, until)
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
        self._slots.drop(uid)
        self._backs.drop(uid)
        self._setbacks.pop(uid, None)
        self._resting.pop(uid, None)
