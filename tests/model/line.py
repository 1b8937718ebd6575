"""Line: the operator's end of the wire. Each request is handed to whoever drives the coroutine, who answers or does not.

Here is also what of the Scheduler is retold: the loop, for one schedule.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from controller.act.launcher import Done, Launcher, Work
from controller.act.progress import only_launched
from controller.cluster.port import Body
from controller.decide.decide import decide
from controller.intake import read_jobs, read_jobs_of, read_pods, read_schedule, read_schedules
from controller.model.policy import Policy, Site
from controller.owed import Owed
from controller.queues import Queues
from controller.table import Table
from tests.model.bodies import job_body, pod_bodies
from tests.model.book import Book
from tests.model.records import NAMESPACE, UID, at
from tests.model.server import Request
from tests.model.switch import is_neighbour, neighbours_body


class Ask:
    """Awaiting it hands the request to the driver of the coroutine."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __await__(self) -> Generator[Request, Any, Any]:
        return (yield self._request)


class StillClock:
    moment: datetime = at(0)

    def now(self) -> datetime:
        return self.moment


class Mute:
    """Metrics and events: nobody listens here."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_kwargs: None


class Line:
    """The cluster, as far as the operator's turn asks it."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def list_jobs(self, _namespace: str, _schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        for job in await Ask(Request("list_jobs")):
            if is_neighbour(job):
                yield neighbours_body(job)
            elif job.ours:
                yield job_body(job)

    async def list_pods(self, _namespace: str, _schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        for job in await Ask(Request("list_pods")):
            for body in pod_bodies(job):
                yield body

    async def list_schedules(self, _namespace: str) -> AsyncIterator[Body]:
        yield self._book.body(await Ask(Request("list_schedules")))

    async def get_schedule(self, _namespace: str, _name: str) -> Body:
        return self._book.body(await Ask(Request("get_schedule")))

    async def get_job(self, _namespace: str, name: str) -> Body:
        return job_body(await Ask(Request("get_job", name)))

    async def create_job(self, _namespace: str, body: Body) -> Body:
        return job_body(await Ask(Request("create_job", body=body)))

    async def patch_status(self, _namespace: str, name: str, version: str, status: Body) -> Body:
        return self._book.body(await Ask(Request("patch_status", name, status, version)))

    async def delete_job(self, _namespace: str, name: str, uid: str) -> None:
        await Ask(Request("delete_job", name, condition=uid))


class Loop:
    """The loop of the scheduler, for one schedule."""

    def __init__(
        self,
        line: Any,
        table: Table,
        launcher: Launcher,
        clock: StillClock,
        policy: Policy,
        environment: str,
        *,
        compared: bool,
        owed: Work | None,
        patient: bool,
    ) -> None:
        self._line, self._table, self._launcher, self._clock = line, table, launcher, clock
        self._queues = Queues(table, lambda: policy)
        self._site = Site(environment, policy.mode)
        self._compared, self._patient = compared, patient
        self._owed = Owed()
        if owed is not None:
            self._owed.put(owed)
        self.owes: Work | None = owed
        self.wake_at: datetime | None = None

    async def run(self) -> Done:
        work = self._decide(fresh=False)
        listed = work.decision.needs_fresh_jobs
        if listed:
            if not self._compared:
                await read_schedule(self._line, self._table, work.entry)
            await read_jobs_of(self._line, self._table, NAMESPACE, [work.entry.schedule])
            work = self._decide(fresh=True)
            assert not work.decision.needs_fresh_jobs, "asked for a list that it has"
        _, full = self._queues.split([work], self._clock.now())
        if UID in full:
            work = self._decide(fresh=listed, queued=full[UID])
            assert not work.decision.needs_fresh_jobs, "asked for a list that it has no use for"
            assert work.decision.launch is None, "launched although its queue has no room"
        asked = work.decision.launch
        work = self._owed.join(work)
        waits = self.owes is not None and self._owed.base(work.entry) is self.owes.decision.status
        hurried = asked is not None and work.decision.launch is None
        work = await self._launcher.create(work)
        self.wake_at = work.decision.wake_at
        may_wait = self._patient and not hurried and (waits or work.decision.launch is not None)
        if may_wait and only_launched(work.entry.status, work.decision):
            if work.decision.entered:
                self.owes = replace(work, decision=replace(work.decision, launch=None))
            return Done.QUIET
        done = await self._launcher.finish(work)
        self.owes = None
        return done

    def _decide(self, *, fresh: bool, queued: str = "") -> Work:
        entry, now = self._table.entry(UID), self._clock.now()
        assert entry is not None
        base, jobs = self._owed.base(entry), self._table.jobs_of(UID)
        decision = decide(entry.schedule, base, jobs, now, jobs_fresh=fresh, queued=queued, site=self._site)
        return Work(entry, decision)


async def resync(line: Any, table: Table) -> None:
    await read_jobs(line, table, NAMESPACE)
    await read_pods(line, table, NAMESPACE)
    await read_schedules(line, table, NAMESPACE)
