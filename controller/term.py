"""Term: from a free Lease to serving, and back.

A term begins with the clock and the switch, and with a table that was compared since the API server was last out of reach;
a replica that stood by has one. It then serves, and compares once more behind that; it ends with the Lease, or with the
process, which gives the Lease back before anything else is taken down.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.clock import Clock
    from controller.cluster.lease import Lease
    from controller.cluster.skew import Skew
    from controller.watch.resync import Resync
    from controller.watch.switch import Switch

CLOCK_CHECK_SECONDS = 10.0
COMPARE_SECONDS = 2.0
"""After the begin of a term: what presses is decided first, and each launch reads anew what it depends on."""

log = logging.getLogger(__name__)


class Term:
    """`elected` is False for a single replica without election: its term begins with the process and ends with it."""

    def __init__(
        self,
        lease: Lease,
        resync: Resync,
        switch: Switch,
        skew: Skew,
        clock: Clock,
        *,
        elected: bool,
        retry_seconds: float,
        begun: Callable[[], None],
    ) -> None:
        self._lease = lease
        self._resync = resync
        self._switch = switch
        self._skew = skew
        self._clock = clock
        self._elected = elected
        self._retry = retry_seconds
        self._begun = begun
        self._serving = False

    def is_leading(self) -> bool:
        """Whether we may write."""
        return self._lease.is_leading() if self._elected else True

    def serves(self) -> bool:
        """Whether we may decide."""
        return self._serving and self.is_leading()

    def compared(self) -> bool:
        """Whether the table was compared with the server in this very term."""
        return self._resync.covers(self._lease.held_since)

    async def run(self) -> None:
        """For ever: wait for the Lease, serve while it is ours."""
        while True:
            if self._elected:
                await self._lease.acquire()
                log.info("leading", extra={"event": "lease.acquired", "identity": self._lease.identity})
                async with asyncio.TaskGroup() as group:
                    begin = group.create_task(self._begin())
                    await self._lease.hold(self._skew.check)
                    begin.cancel()
                self._serving = False
                log.warning("not leading any more", extra={"event": "lease.lost"})
            else:
                await self._begin()
                while True:
                    await self._clock.sleep(CLOCK_CHECK_SECONDS)
                    await self._skew.check()

    async def tried(self) -> None:
        """Wait until the Lease was asked for: who gets it at once then compares once, not twice."""
        if self._elected:
            await self._lease.tried.wait()

    def pause(self) -> None:
        """Decide nothing more; what is under way may still be written."""
        self._serving = False

    async def give_up(self) -> None:
        """Decide and write nothing more, for good, and let another take over."""
        self._serving = False
        if self._elected:
            await self._lease.release()

    async def _begin(self) -> None:
        while not (
            await self._skew.check()
            and await self._switch.read()
            and await self._resync.since(self._lease.steady_since)
        ):
            await self._clock.sleep(self._retry)
        self._begun()
        self._serving = True
        if not self.compared():
            await self._clock.sleep(COMPARE_SECONDS)
            self._resync.ask()
