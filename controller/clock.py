"""Clock: the only place the controller asks for the time or sleeps.

`SystemClock` is the machine's; `ManualClock` stands still until told to advance and wakes who waited, so that a day
of a schedule or a frozen leader is tested in a millisecond. Wall time decides slots; monotonic time measures ages.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time, aware, UTC."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set or the time is over, whichever comes first."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await event.wait()
        except TimeoutError:
            return


class ManualClock:
    """Stands still. `advance` moves both times; `step` moves wall time alone, as an administrator or NTP does."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock; tests wait for it instead of sleeping."""
        return len(self._sleepers)

    async def sleep(self, seconds: float) -> None:
        await self.wait(asyncio.Event(), seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        if seconds <= 0 or event.is_set():
            await asyncio.sleep(0)
            return
        alarm = asyncio.Event()
        sleeper = (self._monotonic + seconds, alarm)
        self._sleepers.append(sleeper)
        waits = [asyncio.ensure_future(alarm.wait()), asyncio.ensure_future(event.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def step(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    async def advance(self, seconds: float) -> None:
        """Move on, stopping at each alarm on the way so that sleepers run at their own time."""
        end = self._monotonic + seconds
        while True:
            await _settle()
            due = min((at for at, _ in self._sleepers if at <= end), default=end)
            self._now += timedelta(seconds=max(due - self._monotonic, 0))
            self._monotonic = max(due, self._monotonic)
            ringing = [sleeper for sleeper in self._sleepers if sleeper[0] <= self._monotonic]
            for sleeper in ringing:
                self._sleepers.remove(sleeper)
                sleeper[1].set()
            await _settle()
            if self._monotonic >= end and not any(at <= end for at, _ in self._sleepers):
                return


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
