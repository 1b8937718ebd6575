"""Resync: compares the table with the server, at the start, every few minutes and after each restart of the watch.

A watch may miss what happened while it was away, and never reports what vanished then; without this a deleted schedule
would go on firing. The scheduler decides nothing in a term before one is complete that began after the API server, or
this process, was last out of reach; a replica that stood by awake has one, and takes over without asking.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from controller.cluster.port import ClusterError, Refused
from controller.intake import read_jobs, read_pods, read_schedules

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.clock import Clock
    from controller.cluster.port import Cluster
    from controller.table import Table

RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


class Resync:
    def __init__(
        self,
        cluster: Cluster,
        table: Table,
        clock: Clock,
        namespaces: tuple[str, ...],
        every_seconds: float,
        found_gone: Callable[[str, int], None] = lambda _kind, _count: None,
    ) -> None:
        self._cluster = cluster
        self._table = table
        self._clock = clock
        self._namespaces = namespaces
        self._every = every_seconds
        self._found_gone = found_gone
        self._asked = asyncio.Event()
        self._completed_at: float | None = None
        self._began_at: float | None = None
        self._one = asyncio.Lock()
        self.done = asyncio.Event()
        """Set once the first round is complete."""
        self.refused: dict[str, str] = {}
        """Namespaces that we may not read, and the API server's words; the others are served."""

    def ask(self) -> None:
        """Have a round now rather than at its time."""
        self._asked.set()

    @property
    def took(self) -> float:
        """Seconds, of the last complete round."""
        if self._began_at is None or self._completed_at is None:
            return 0.0
        return self._completed_at - self._began_at

    def age(self) -> float | None:
        return None if self._completed_at is None else self._clock.monotonic() - self._completed_at

    async def run(self) -> None:
        while True:
            self._asked.clear()
            complete = await self.round()
            await self._clock.wait(self._asked, self._every if complete else RETRY_SECONDS)

    async def since(self, moment: float) -> bool:
        """Have a complete round that began at that monotonic time or later; one under way will do."""
        if self.covers(moment):
            return True
        async with self._one:
            return self.covers(moment) or await self._round()

    def covers(self, moment: float) -> bool:
        """Whether the last complete round began at that monotonic time or later."""
        return self._began_at is not None and self._began_at >= moment

    async def round(self) -> bool:
        """Return True when every namespace was compared or refuses us for good."""
        async with self._one:
            return await self._round()

    async def _round(self) -> bool:
        complete = True
        started = self._clock.monotonic()
        for namespace in self._namespaces:
            try:
                await self._compare(namespace)
            except Refused as error:
                self.refused[namespace] = str(error)
                log.warning(
                    "not allowed to read",
                    extra={"event": "resync.refused", "namespace": namespace, "why": str(error)},
                )
            except ClusterError as error:
                complete = False
                log.warning(
                    "resync failed",
                    extra={"event": "resync.failed", "namespace": namespace, "why": str(error)},
                )
            else:
                self.refused.pop(namespace, None)
        if complete:
            self._table.drop_orphan_pods()
            self._began_at, self._completed_at = started, self._clock.monotonic()
            self.done.set()
            log.debug(
                "resync complete",
                extra={
                    "event": "resync.complete",
                    "schedules": len(self._table),
                    "seconds": round(self.took, 3),
                },
            )
        return complete

    async def _compare(self, namespace: str) -> None:
        # Schedules last: one that shows up is then decided with all that runs for it. Pods after Jobs: what a
        # finished Job's pod said must be at least as new as the Job.
        for kind, read in (("Job", read_jobs), ("Pod", read_pods), ("GscSyncSchedule", read_schedules)):
            ghosts = await read(self._cluster, self._table, namespace)
            if ghosts:
                self._found_gone(kind, ghosts)
