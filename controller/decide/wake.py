"""Wake: the next moment at which the answer for a schedule can change by the passing of time alone.

Everything else that changes it (an edit, a Job, a pod) wakes the scheduler itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.decide.conditions import stale_at
from controller.decide.gates import paused
from controller.decide.hindrance import stuck_at
from controller.decide.verdict import FACTS_GRACE, limits
from controller.model.job import GRACE_SECONDS, JobRecord, JobState
from controller.model.policy import Site
from controller.model.schedule import Asks, Schedule
from controller.model.status import Status

_SOON = timedelta(seconds=1)
_UNSEEN = timedelta(seconds=60)
"""How often a Job is looked at that no watch shows."""
_NO_ASKS = Asks()


def wake_at(
    schedule: Schedule,
    status: Status,
    jobs: Sequence[JobRecord],
    now: datetime,
    site: Site = Site(),  # noqa: B008 - frozen
) -> datetime | None:
    """The earliest of: next slot, end of a wait, end of a launch's time, a deletion taking too long, data going stale.

    Always after `now`.
    """
    spec = schedule.spec
    moments = [status.next_slot, stale_at(schedule, status), *map(stuck_at, jobs)]
    if spec is not None and not paused(spec, site):
        moments += [run.not_before for run in status.runs if not status.launched(run.run_id)]
    for active in status.active:
        job = next((job for job in jobs if job.name == active.job_name), None)
        if job is not None and job.unlabelled:
            moments.append(now + _UNSEEN)
        if job is not None and job.state is not JobState.ACTIVE:
            moments.append(max((job.finished_at or now) + FACTS_GRACE, now + _SOON))
        elif spec is not None and active.started_at is not None:
            moments.append(active.started_at + timedelta(seconds=limits(job, spec)[0] + GRACE_SECONDS))
        elif spec is not None and not (job is not None and job.suspended):
            since = job.pending_since if job is not None else active.created_at
            moments.append(since + timedelta(seconds=limits(job, spec)[1]))
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def presses(schedule: Schedule, status: Status, now: datetime) -> bool:
    """Whether there is most likely something to do for it now; at a start these go first, thousands of others wait."""
    return (
        status.observed_generation != schedule.generation
        or (status.next_slot is not None and status.next_slot <= now)
        or bool(status.runs or status.active or status.waiting)
        or schedule.asks != _NO_ASKS
    )
