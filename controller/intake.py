"""Intake: bodies from the API server become records in the table; the bodies are dropped here.

Used by the watch (one event at a time), by the resync and by the scheduler's live list (whole lists). A whole list
drops what it no longer shows, but only what was known before it began: younger objects are not in its snapshot. What
the table knows already, as the echo of our own writes or at the next resync, is not parsed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.cluster.port import NotFound, find_job
from controller.model import names
from controller.model.parse import parse_schedule
from controller.model.parse_job import parse_job, parse_pod
from controller.model.status_io import read_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from controller.cluster.port import Body, Cluster
    from controller.model.job import JobRecord, PodFacts
    from controller.model.schedule import Schedule
    from controller.model.status import Status
    from controller.table import Entry, Table


@dataclass(frozen=True, slots=True)
class News:
    """One watch event, parsed where it arrived, so that only frozen records cross between threads."""

    deleted: bool
    uid: str
    resource_version: str
    schedule: tuple[Schedule, Status] | None = None
    job: JobRecord | None = None
    pod: tuple[str, PodFacts] | None = None

    def put(self, table: Table) -> None:
        if self.schedule:
            _put_schedule(table, self)
        elif self.job:
            if self.deleted:
                table.drop_job(self.uid)
            else:
                table.put_job(self.job)
        elif self.pod:
            job_uid, facts = self.pod
            table.put_pod(job_uid, facts, self.resource_version)
            if self.deleted:
                table.lose_pod(job_uid, facts.uid)


def _put_schedule(table: Table, news: News) -> None:
    if news.deleted or news.schedule is None:
        table.drop_schedule(news.uid)
    else:
        table.put_schedule(*news.schedule)


def schedule_news(body: Body, *, deleted: bool = False) -> News:
    return News(deleted, *identity_of(body), schedule=(parse_schedule(body), read_status(body)))


def job_news(body: Body, *, deleted: bool = False) -> News:
    return News(deleted, *identity_of(body), job=parse_job(body))


def pod_news(body: Body, *, deleted: bool = False) -> News:
    return News(deleted, *identity_of(body), pod=parse_pod(body))


async def read_schedules(cluster: Cluster, table: Table, namespace: str) -> int:
    """List, put, drop ghosts; how many ghosts there were. Raises ClusterError, and then drops nothing."""
    before = table.schedule_uids(namespace)
    seen = await _take_in(cluster.list_schedules(namespace), table, schedule_news)
    return table.drop_absent_schedules(before, seen)


async def read_schedule(cluster: Cluster, table: Table, entry: Entry) -> None:
    """Get this one, or drop it when it is gone. Raises ClusterError."""
    schedule = entry.schedule
    try:
        schedule_news(await cluster.get_schedule(schedule.namespace, schedule.name)).put(table)
    except NotFound:
        table.drop_schedule(schedule.uid)


async def read_jobs(cluster: Cluster, table: Table, namespace: str) -> int:
    before = table.job_uids(namespace)
    seen = await _take_in(cluster.list_jobs(namespace), table, job_news)
    return table.drop_absent_jobs(before, seen)


async def read_job(cluster: Cluster, table: Table, namespace: str, name: str, uid: str) -> bool:
    """Get this one into the table by its name; False when it is gone. Raises ClusterError."""
    body = await find_job(cluster, namespace, name, uid)
    job = parse_job(body) if body is not None else None
    if job is None:
        return False
    table.put_job(job, proven=True)
    return True


async def read_jobs_of(
    cluster: Cluster, table: Table, namespace: str, schedules: Collection[Schedule]
) -> None:
    """List the Jobs of these schedules and what their pods tell. Raises ClusterError, and then drops nothing.

    One that is not listed may have lost its label, so it is asked for by name before it counts as gone.
    """
    labels = [names.label_value(schedule.name) for schedule in schedules]
    before = [job for schedule in schedules for job in table.jobs_of(schedule.uid)]
    seen = await _take_in(cluster.list_jobs(namespace, labels), table, job_news)
    for job in before:
        if job.uid not in seen and not await read_job(cluster, table, job.namespace, job.name, job.uid):
            table.drop_job(job.uid)
    await _take_in(cluster.list_pods(namespace, labels), table, pod_news)


async def read_pods(cluster: Cluster, table: Table, namespace: str) -> int:
    before = table.pod_uids(namespace)
    seen = await _take_in(cluster.list_pods(namespace), table, pod_news)
    gone = [(job_uid, pod_uid) for job_uid, pod_uid in before if pod_uid not in seen]
    for job_uid, pod_uid in gone:
        table.lose_pod(job_uid, pod_uid)
    return len(gone)


async def _take_in(listed: AsyncIterator[Body], table: Table, news_of: Callable[[Body], News]) -> set[str]:
    """Put what is listed into the table; the UIDs of all that was there."""
    seen = set()
    async for body in listed:
        identity = identity_of(body)
        seen.add(identity[0])
        if not table.knows(*identity):
            news_of(body).put(table)
    return seen


def identity_of(body: Body) -> tuple[str, str]:
    """UID and resource version."""
    meta = body.get("metadata") or {}
    return str(meta.get("uid") or ""), str(meta.get("resourceVersion") or "")
