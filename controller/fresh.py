"""Fresh: reads anew what a launch depends on, for up to fifty schedules of a namespace that are due in the same turn.

A watch shows nothing in time for sure. What a list of their Jobs does not show does not exist, and a name that exists is
a lock. The Jobs of all others are not listed: there may be a hundred thousand. What another leader launched may have
come and gone since its status was last seen here, so until the table was compared in this term, those statuses are read
again too. So is each schedule whose Job is gone: the Job may have been collected because its schedule was deleted.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from controller.cluster.port import ClusterError
from controller.intake import read_jobs_of, read_schedule, read_schedules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from controller.cluster.port import Cluster
    from controller.model.status import Status
    from controller.observe.metrics import Metrics
    from controller.table import Entry, Table

FEW = 50
"""Schedules of a namespace that are read one by one, more are listed; and whose Jobs are listed together."""

IN_FLIGHT = 8
"""Namespaces read at a time."""

log = logging.getLogger(__name__)


class Fresh:
    def __init__(
        self,
        cluster: Cluster,
        table: Table,
        metrics: Metrics,
        compared: Callable[[], bool],
        status_of: Callable[[Entry], Status],
    ) -> None:
        """`status_of` tells the status that is decided on: what is still to be written of it included."""
        self._cluster = cluster
        self._table = table
        self._metrics = metrics
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)
        self._compared = compared
        self._status_of = status_of

    async def read(self, unsure: Iterable[Entry]) -> set[str]:
        """Read what these depend on into the table; the namespaces of which all could be read."""
        asked: dict[str, list[Entry]] = {}
        for entry in unsure:
            asked.setdefault(entry.schedule.namespace, []).append(entry)
        answers = await asyncio.gather(*(self._one(*item) for item in asked.items()))
        return {namespace for namespace, answered in zip(asked, answers, strict=True) if answered}

    async def _one(self, namespace: str, entries: list[Entry]) -> bool:
        try:
            async with self._in_flight:
                # Statuses before Jobs: a Job that ended in between is then told by the one or shown by the other.
                if not self._compared():
                    await self._statuses(namespace, entries)
                for start in range(0, len(entries), FEW):
                    due = [entry.schedule for entry in entries[start : start + FEW]]
                    await read_jobs_of(self._cluster, self._table, namespace, due)
                if missing := [entry for entry in entries if self._misses_a_job(entry)]:
                    await self._statuses(namespace, missing)
        except ClusterError as error:
            self._metrics.failed("list")
            log.warning(
                "Jobs not listed", extra={"event": "jobs.unlisted", "namespace": namespace, "why": str(error)}
            )
            return False
        return True

    async def _statuses(self, namespace: str, entries: list[Entry]) -> None:
        if len(entries) > FEW:
            await read_schedules(self._cluster, self._table, namespace)
        else:
            for entry in entries:
                await read_schedule(self._cluster, self._table, entry)

    def _misses_a_job(self, entry: Entry) -> bool:
        there = {job.name for job in self._table.jobs_of(entry.schedule.uid)}
        return any(launch.job_name not in there for launch in self._status_of(entry).active)
