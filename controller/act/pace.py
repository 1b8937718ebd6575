"""Pace: not more than so many Jobs are created in a second, however many are due.

The first second's worth goes at once. Waiting is handed out in the order of asking, so the order of launches stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.clock import Clock


class Pace:
    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._next = clock.monotonic() - 1.0

    async def wait(self) -> None:
        """Until the next create may go."""
        now = self._clock.monotonic()
        self._next = max(self._next, now - 1.0) + self._interval
        if self._next > now:
            await self._clock.sleep(self._next - now)
