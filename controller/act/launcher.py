"""Launcher: carries a Decision out, in the one order that is safe to break off anywhere.

Create the Job, write the status, delete Jobs, then tell people. The Job's name is a pure function of schedule, run
and launch, so the API server's 409 is the lock: whoever comes second finds the Job and adopts it. Creating and
finishing are two steps, so that many due schedules get their Jobs before the first status is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.act import manifest
from controller.act.status_writer import Written
from controller.act.tell import tell
from controller.cluster.port import (
    AlreadyExists,
    ClusterError,
    Conflict,
    NotFound,
    Refused,
    Unavailable,
    find_job,
)
from controller.decide.decide import after_create
from controller.model.decision import CreateResult
from controller.model.parse_job import parse_job
from controller.model.policy import Policy, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.act.recorder import Recorder
    from controller.act.status_writer import StatusWriter
    from controller.clock import Clock
    from controller.cluster.port import Body, Cluster
    from controller.model.decision import Decision, Launch
    from controller.model.job import JobRecord
    from controller.model.schedule import Schedule
    from controller.observe.metrics import Metrics
    from controller.settings import Settings
    from controller.table import Entry, Table


class Done(StrEnum):
    """What became of it, for the scheduler."""

    QUIET = "quiet"
    """Nothing had to be written."""
    WRITTEN = "written"
    AGAIN = "again"
    """Decide again, from what is in the table now."""
    GONE = "gone"
    """The schedule does not exist any more."""


@dataclass(frozen=True, slots=True)
class Work:
    """A decision on its way, with what it was decided from."""

    entry: Entry
    decision: Decision


class Launcher:
    def __init__(
        self,
        cluster: Cluster,
        table: Table,
        writer: StatusWriter,
        recorder: Recorder,
        metrics: Metrics,
        settings: Settings,
        clock: Clock,
        policy: Callable[[], Policy] = Policy,
    ) -> None:
        self._policy = policy
        self._cluster = cluster
        self._table = table
        self._writer = writer
        self._recorder = recorder
        self._metrics = metrics
        self._settings = settings
        self._clock = clock

    async def create(self, work: Work) -> Work:
        """Create the Job that the decision asks for, if any, and work its fate into the decision.

        Raises ClusterError when nobody can say now whether it exists: decide again later, the name protects us.
        """
        launch = work.decision.launch
        if launch is None:
            return work
        schedule = work.entry.schedule
        result, job, message = await self._create(launch, schedule)
        self._metrics.launched(schedule, launch, result, job)
        if job is not None:
            self._table.put_job(job, wake=False)
        decision = after_create(
            work.decision, schedule, result, job, message, self._clock.now(), self._site()
        )
        return replace(work, decision=decision)

    def _site(self) -> Site:
        return replace(self._settings.site, mode=self._policy().mode)

    async def finish(self, work: Work) -> Done:
        """Write the status, delete, tell. Raises ClusterError when a write's fate is unknown."""
        schedule, before = work.entry
        decision = work.decision
        done = Done.QUIET
        if decision.status != before:
            written = await self._writer.write(schedule, decision.status)
            if written is Written.AGAIN:
                return Done.AGAIN
            if written is Written.GONE:
                return Done.GONE
            done = Done.WRITTEN
            self._metrics.wrote(schedule, before, decision.status, decision.ended)
        # From here on everything is in the status: who dies now loses a line of log or an event, nothing else.
        for notice in decision.notices:
            self._recorder.record(schedule, notice)
        tell(schedule, decision)
        for note in decision.notes:
            self._metrics.decided(note.what)
        for deletion in decision.deletions:
            await self._delete(schedule.namespace, deletion.name, deletion.uid)
        return done

    async def _create(self, launch: Launch, schedule: Schedule) -> tuple[CreateResult, JobRecord | None, str]:
        try:
            body = manifest.job(launch, schedule, self._settings)
        except ValueError as error:
            return CreateResult.REFUSED, None, f"the schedule makes no valid work order: {error}"[:512]
        try:
            # Dying just before: the next start finds the slot due and no Job, and creates it.
            # Dying just after: the next start finds the Job by its labels, or by this name's 409, and adopts it.
            answer = await self._cluster.create_job(schedule.namespace, body)
        except AlreadyExists:
            return await self._whose(launch, schedule)
        except Unavailable as error:
            try:
                return await self._whose(launch, schedule)
            except NotFound:
                raise error from None
        except (Refused, NotFound) as error:
            # NotFound: the namespace is being deleted. A 429 is neither: the server is busy, and to tell it in a status is one more write.
            return CreateResult.REFUSED, None, str(error)[:512]
        return CreateResult.CREATED, _record(answer, launch), ""

    async def _whose(self, launch: Launch, schedule: Schedule) -> tuple[CreateResult, JobRecord | None, str]:
        """Ours is what our schedule owns and names this very launch of this run; all else is somebody else's."""
        body = await self._cluster.get_job(schedule.namespace, launch.job_name)
        job = parse_job(body)
        if job is not None and job.is_launch(schedule.uid, launch.run_id, launch.launch):
            return CreateResult.ADOPTED, _known(job, launch), ""
        owner = next(
            (
                f"{ref.get('kind')} '{ref.get('name')}'"
                for ref in (body.get("metadata") or {}).get("ownerReferences") or ()
                if isinstance(ref, dict) and ref.get("controller")
            ),
            "nobody",
        )
        message = (
            f"a Job named '{launch.job_name}' exists in namespace '{schedule.namespace}' and is not ours "
            f"(controlled by {owner}): delete or rename it"
        )
        return CreateResult.NAME_CONFLICT, None, message[:512]

    async def _delete(self, namespace: str, name: str, uid: str) -> None:
        try:
            # Dying just before: the intent is in the status, so the next start deletes it. Just after: it is gone.
            await self._cluster.delete_job(namespace, name, uid)
        except (NotFound, Conflict) as error:
            # Gone already, or another object took the name. Were it only said so, it would run on with nobody to end it.
            if await find_job(self._cluster, namespace, name, uid) is not None:
                raise Unavailable(f"Job {name} is still there: {error}"[:512]) from error
            self._table.drop_job(uid)
        else:
            self._table.condemn_job(uid)


def _record(answer: Body, launch: Launch) -> JobRecord:
    job = parse_job(answer)
    if job is None:
        raise Unavailable("the API server's answer to a create is no Job")
    return _known(job, launch)


def _known(job: JobRecord, launch: Launch) -> JobRecord:
    """Some admission webhook may have taken our labels off: what they said is known all the same."""
    if job.run_id:
        return job
    return job.known_as(launch.run_id, launch.slot, launch.trigger, launch.attempt, launch.launch)


__all__ = ["ClusterError", "Done", "Launcher", "Work"]
