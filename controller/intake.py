"""Intake: bodies from the API server become records in the table; the bodies are dropped here.

Used by the watch (one event at a time), by the resync and by the scheduler's live list (whole lists). A whole list
drops what it no longer shows, but only what was known before it began: younger objects are not in its snapshot. What
the table knows already, as the echo of our own writes or at the next resync, is not parsed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.cluster.port import NotFound
from controller.model import names
from controller.model.parse import parse_schedule
from controller.model.parse_job import parse_job, parse_pod
from controller.model.status_io import read_status

if TYPE_CHECKING:
    from collections.abc import Collection

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
    before, seen = table.schedule_uids(namespace), set()
    async for body in cluster.list_schedules(namespace):
        identity = identity_of(body)
        seen.add(identity[0])
        if not table.knows(*identity):
            schedule_news(body).put(table)
    return table.drop_absent_schedules(before, seen)


async def read_schedule(cluster: Cluster, table: Table, entry: Entry) -> None:
    """Get this one, or drop it when it is gone. Raises ClusterError."""
    schedule = entry.schedule
    try:
        schedule_news(await cluster.get_schedule(schedule.namespace, schedule.name)).put(table)
    except NotFound:
        table.drop_schedule(schedule.uid)


async def read_jobs(cluster: Cluster, table: Table, namespace: str) -> int:
    before, seen = table.job_uids(namespace), set()
    async for body in cluster.list_jobs(namespace):
        identity = identity_of(body)
        seen.add(identity[0])
        if not table.knows(*identity):
            job_news(body).put(table)
    return table.drop_absent_jobs(before, seen)


async def read_jobs_of(
    cluster: Cluster, table: Table, namespace: str, schedules: Collection[Schedule]
) -> None:
    """List the Jobs of these schedules and what their pods tell. Raises ClusterError, and then drops nothing.

    One that is not listed may have lost its label, so it is asked for by name before it counts as gone.
    """
    labels = [names.label_value(schedule.name) for schedule in schedules]
    before = [job for schedule in schedules for job in table.jobs_of(schedule.uid)]
    seen = set()
    async for body in cluster.list_jobs(namespace, labels):
        identity = identity_of(body)
        seen.add(identity[0])
        if not table.knows(*identity):
            job_news(body).put(table)
    for job in before:
        if job.uid not in seen and not await _exists(cluster, job):
            table.drop_job(job.uid)
    async for body in cluster.list_pods(namespace, labels):
        pod_news(body).put(table)


async def _exists(cluster: Cluster, job: JobRecord) -> bool:
    try:
        body = await cluster.get_job(job.namespace, job.name)
    except NotFound:
        return False
    return identity_of(body)[0] == job.uid


async def read_pods(cluster: Cluster, table: Table, namespace: str) -> int:
    before, seen = table.pod_uids(namespace), set()
    async for body in cluster.list_pods(namespace):
        news = pod_news(body)
        seen.add(news.uid)
        news.put(table)
    gone = [(job_uid, pod_uid) for job_uid, pod_uid in before if pod_uid not in seen]
    for job_uid, pod_uid in gone:
        table.lose_pod(job_uid, pod_uid)
    return len(gone)


def identity_of(body: Body) -> tuple[str, str]:
    """UID and resource version."""
    meta = body.get("metadata") or {}
    return str(meta.get("uid") or ""), str(meta.get("resourceVersion") or "")
