"""Fresh: reads anew what a launch depends on, for up to fifty schedules of a namespace that are due in the same turn.

A watch shows nothing in time for sure. What a list of their Jobs does not show does not exist, and a name that exists is
a lock. The Jobs of all others are not listed: there may be a hundred thousand. What another leader launched may have
come and gone since its status was last seen here, so until the table was compared in this term, those statuses are read
again too. So is each schedule whose Job is gone: the Job may have been collected because its schedule was deleted.

What was read counts, whatever could not be read beside it: one error of hundreds of calls holds up fifty schedules.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from controller.cluster.port import ClusterError
from controller.intake import read_job, read_jobs_of, read_schedule, read_schedules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from controller.cluster.port import Cluster
    from controller.model.status import ActiveLaunch, Status
    from controller.observe.metrics import Metrics
    from controller.table import Entry, Table

FEW = 50
"""Schedules of a namespace that are read one by one, more are listed; and whose Jobs are listed together."""

IN_FLIGHT = 8
"""Namespaces read at a time."""

FAILURES = 2
"""Errors in a row after which the rest of a namespace is not asked for: it would fail too, each after its time-out."""

log = logging.getLogger(__name__)


class Fresh:
    def __init__(
        self,
        cluster: Cluster,
        table: Table,
        metrics: Metrics,
        compared: Callable[[], bool],
        status_of: Callable[[Entry], Status],
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """`status_of` tells the status that is decided on: what is still to be written of it included.

        `alive` is called after each part that was read: a turn may read for minutes from a busy API server.
        """
        self._alive = alive
        self._cluster = cluster
        self._table = table
        self._metrics = metrics
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)
        self._compared = compared
        self._status_of = status_of

    async def read(self, unsure: Iterable[Entry]) -> set[str]:
        """Read what these depend on into the table; the UIDs of those of which all could be read."""
        asked: dict[str, list[Entry]] = {}
        for entry in unsure:
            asked.setdefault(entry.schedule.namespace, []).append(entry)
        answers = await asyncio.gather(*(self._one(*item) for item in asked.items()))
        return {entry.schedule.uid for read in answers for entry in read}

    async def _one(self, namespace: str, entries: list[Entry]) -> list[Entry]:
        """Those of which all could be read."""
        async with self._in_flight:
            # Statuses before Jobs: a Job that ended in between is then told by the one or shown by the other.
            if not self._compared():
                entries = await self._statuses(namespace, entries)
            read = await self._in_parts(namespace, entries, FEW, self._jobs)
            missing = [entry for entry in read if self._misses_a_job(entry)]
            if not missing:
                return read
            uids = {entry.schedule.uid for entry in missing}
            whole = [entry for entry in read if entry.schedule.uid not in uids]
            missing = await self._statuses(namespace, missing)
            return whole + await self._in_parts(namespace, missing, 1, self._by_name)

    async def _statuses(self, namespace: str, entries: list[Entry]) -> list[Entry]:
        if len(entries) > FEW:
            return await self._in_parts(namespace, entries, len(entries), self._all_statuses)
        return await self._in_parts(namespace, entries, 1, self._status)

    async def _in_parts(
        self,
        namespace: str,
        entries: list[Entry],
        size: int,
        ask: Callable[[str, list[Entry]], Awaitable[object]],
    ) -> list[Entry]:
        """Those whose part was answered."""
        read: list[Entry] = []
        failures = 0
        for start in range(0, len(entries), size):
            part = entries[start : start + size]
            try:
                await ask(namespace, part)
                self._alive()
            except ClusterError as error:
                self._metrics.failed("list")
                log.warning(
                    "Jobs not listed",
                    extra={"event": "jobs.unlisted", "namespace": namespace, "why": str(error)},
                )
                failures += 1
                if failures == FAILURES:
                    break
                continue
            failures = 0
            read += part
        return read

    async def _jobs(self, namespace: str, part: list[Entry]) -> None:
        await read_jobs_of(self._cluster, self._table, namespace, [entry.schedule for entry in part])

    async def _by_name(self, namespace: str, part: list[Entry]) -> None:
        """A Job that no list shows may have lost its labels: it is gone only when its name says so, too."""
        for known in part:
            entry = self._table.entry(known.schedule.uid)
            for launch in self._missing(entry) if entry is not None else ():
                await read_job(self._cluster, self._table, namespace, launch.job_name, launch.job_uid)

    async def _status(self, _namespace: str, part: list[Entry]) -> None:
        for entry in part:
            await read_schedule(self._cluster, self._table, entry)

    async def _all_statuses(self, namespace: str, _part: list[Entry]) -> None:
        await read_schedules(self._cluster, self._table, namespace)

    def _misses_a_job(self, entry: Entry) -> bool:
        return bool(self._missing(entry))

    def _missing(self, entry: Entry) -> list[ActiveLaunch]:
        there = {job.name for job in self._table.jobs_of(entry.schedule.uid)}
        return [launch for launch in self._status_of(entry).active if launch.job_name not in there]
