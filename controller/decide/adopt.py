"""Adopt: Jobs of ours that the status does not know, and what a lost status can be rebuilt from.

A Job is created before the status is written, so after a crash in between there is a Job the status never heard of.
It is told from one that was counted long ago by what only grows: the watermarks, the launch number of the current run,
and the handled tokens. Unknown Jobs are taken one by one, oldest first, and each is judged before the next is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from contract import Trigger
from controller.decide import manual
from controller.decide.cron import Cron
from controller.decide.draft import Draft
from controller.decide.epoch import coalesce, decided_until, schedule_hash
from controller.decide.slots import Due, due
from controller.model.decision import JobDeletion
from controller.model.job import JobRecord, JobState
from controller.model.names import is_run_of_token, job_name, run_id_of_creation, slot_of_minutes
from controller.model.parameters import Parameters
from controller.model.schedule import CatchUp, Schedule
from controller.model.status import CurrentRun, RunState, Status

_AHEAD = timedelta(minutes=2)
"""A Job for a slot further ahead was not made by us, or by a clock that was wrong."""
_MAX_ATTEMPT = 20
_EVER = 10**10
_MAX_LAUNCH = 1_000_000
_TRIGGERS = frozenset(Trigger)


def ours(schedule: Schedule, jobs: Iterable[JobRecord], status: Status) -> list[JobRecord]:
    """The Jobs that this very object controls, oldest first. An active one that lost its labels is known by its name.

    Creation times have whole seconds; of two Jobs of one second the one that has ended was there first.
    """
    mine = (job if job.run_id else _by_name(job, status) for job in jobs if job.owner_uid == schedule.uid)
    return sorted(
        (job for job in mine if job.run_id),
        key=lambda job: (job.created_at, job.state is JobState.ACTIVE, job.launch, job.run_id),
    )


def _by_name(job: JobRecord, status: Status) -> JobRecord:
    for launch in status.active:
        run = status.run(launch.run_id)
        if launch.job_name == job.name and run is not None:
            return job.known_as(run.run_id, run.slot, run.trigger, launch.attempt, launch.launch)
    return job


def genuine(schedule: Schedule, job: JobRecord) -> bool:
    """Whether we made it. Labels prove nothing, anybody may set them: the name must agree with them."""
    return (
        1 <= job.attempt <= _MAX_ATTEMPT
        and 1 <= job.launch <= _MAX_LAUNCH
        and job.trigger in _TRIGGERS
        and _named_by_its_trigger(schedule, job)
        and job.name == job_name(schedule.name, schedule.uid, job.run_id, job.launch)
    )


def _named_by_its_trigger(schedule: Schedule, job: JobRecord) -> bool:
    match job.trigger:
        case Trigger.CRON:
            return job.run_id == str(job.slot_minutes)
        case Trigger.CREATE:
            return job.run_id == run_id_of_creation(schedule.uid)
        case _:
            return is_run_of_token(job.run_id)


def next_unknown(draft: Draft, mine: list[JobRecord]) -> JobRecord | None:
    """The oldest Job of ours that the status does not know.

    Creation times have whole seconds, so among Jobs of one second those of unfinished runs come first: the next run's
    Job would supersede its run, and what came of it would never be told.
    """
    unknown = [job for job in mine if _unknown(draft, job) and genuine(draft.schedule, job)]
    return min(unknown, key=lambda job: (job.created_at, draft.status.run(job.run_id) is None), default=None)


def strangers(draft: Draft, mine: Iterable[JobRecord]) -> list[JobRecord]:
    """Jobs of ours that go on though the status does not call them active.

    A create can arrive late, when another operator has gone on without it: no run waits for such a Job, and two launches
    must not run at once, so it is ended. One of a time to come was made by a clock that was wrong, and is waited for.
    """
    known = {item.job_name for item in draft.status.active}
    found = [
        job
        for job in mine
        if job.state is JobState.ACTIVE
        and job.name not in known
        and not (job.pod is not None and job.pod.exit_code is not None)
        and genuine(draft.schedule, job)
    ]
    for job in found:
        if not job.deleting and slot_of_minutes(job.slot_minutes) <= draft.now + _AHEAD:
            draft.deletions.append(JobDeletion(job.name, job.uid, "Stray"))
            draft.note("Deleting", f"Stray: {job.name} belongs to no run under way")
    return found


def take(draft: Draft, job: JobRecord, cron: Cron | None) -> None:
    """Make the Job's run the current one and the Job an active launch of it."""
    slot = slot_of_minutes(job.slot_minutes)
    if draft.status.run(job.run_id) is None:
        older = _older(draft, job, cron)
        coalesce(draft, older)
        by_hand = job.trigger == Trigger.MANUAL
        # When another wish stands in the annotation by now, the Job still tells what it was to do.
        given = (by_hand and job.parameters) or Parameters()
        fresh = (manual.adopted(draft, job) if by_hand else None) or CurrentRun(
            job.run_id,
            slot,
            job.trigger,
            RunState.WAITING,
            attempt=1,
            launch=0,
            coalesced=older.coalesced,
            workspaces=given.workspaces,
            window_days=given.window_days,
            dry_run=given.dry_run,
        )
        draft.begin(replace(fresh, slot=slot, attempt=job.attempt, launch=job.launch - 1))
    if job.trigger == Trigger.CRON:
        newest = draft.status.watermark
        draft.change(watermark=slot if newest is None else max(newest, slot))
    if job.trigger == Trigger.MANUAL:
        manual.handled(draft, job.run_id.removeprefix("m-"), slot)
    draft.enter(job, adopted=True)


def _older(draft: Draft, job: JobRecord, cron: Cron | None) -> Due:
    """The slots that went with the Job's when it was launched by an operator that died before it could say so."""
    if (
        cron is None
        or job.trigger != Trigger.CRON
        or draft.status.schedule_hash != schedule_hash(draft.schedule, draft.site)
    ):
        return Due()
    slot = slot_of_minutes(job.slot_minutes)
    found = due(cron, decided_until(draft), slot, CatchUp(max_age_seconds=_EVER))
    return found if found.slot == slot else Due()


def rebuild(draft: Draft, mine: list[JobRecord]) -> bool:
    """A status that knows nothing although Jobs exist was lost: go on after the newest run, and judge that one.

    Older finished Jobs were counted before the loss, or never will be; none of their slots fires again. False when
    nothing was lost.
    """
    mine = [job for job in mine if genuine(draft.schedule, job)]
    if not mine:
        return False
    slots = [slot_of_minutes(job.slot_minutes) for job in mine if job.trigger == Trigger.CRON]
    for job in mine:
        if job.state is JobState.ACTIVE or job is mine[-1]:
            take(draft, job, None)
        elif job.trigger == Trigger.MANUAL:
            manual.handled(draft, job.run_id.removeprefix("m-"), slot_of_minutes(job.slot_minutes))
    draft.change(watermark=max(slots, default=draft.status.watermark))
    draft.note("Adopted", f"status was lost; rebuilt from {len(mine)} Jobs")
    return True


def _unknown(draft: Draft, job: JobRecord) -> bool:
    status, run = draft.status, draft.status.run(job.run_id)
    if run is not None:
        return job.launch > run.launch
    slot = slot_of_minutes(job.slot_minutes)
    if job.trigger == Trigger.CRON and status.watermark is not None and slot <= status.watermark:
        return False  # nearly all of them, so this is asked first
    if slot > draft.now + _AHEAD or any(item.job_name == job.name for item in status.active):
        return False
    if any(record.run_id == job.run_id for record in status.history):
        return False
    if job.trigger == Trigger.CRON:
        return True
    if job.trigger == Trigger.CREATE:
        # Decided at the first visit, which also set `tokens_seen`: later it is current or over.
        return job.run_id == run_id_of_creation(draft.schedule.uid) and not status.tokens_seen
    known = job.run_id.removeprefix("m-") in status.tokens
    return not known and (status.manual_watermark is None or slot >= status.manual_watermark)
