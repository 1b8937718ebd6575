"""Decide: (schedule, status, Jobs, now) -> Decision. The heart of the operator, and a pure function.

The order of questions: what came of the launches that were on their way (settle), are there Jobs we do not know
(adopt), did the schedule change (epoch), who asks for a run (manual, slots), may it start (admit), what do we say
(conditions), when do we look again (wake). Nothing is remembered between two calls but what stands in the status.

Create first, then status: `Decision.status` is what to write once its launch exists, and `after_create` completes it
with how the create went. Dying before the create: the next decision is the same. Dying between create and status: the
Job is found and adopted. Dying after the status: it is known.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from controller.decide import adopt, epoch, hindrance, manual
from controller.decide.admit import admit
from controller.decide.cancel import cancel
from controller.decide.conditions import hold, settle
from controller.decide.cron import Cron
from controller.decide.draft import Draft
from controller.decide.gates import paused
from controller.decide.prune import prune
from controller.decide.verdict import STOPPED, lacks_facts, overdue, vanished, verdict
from controller.decide.wake import wake_at
from controller.model import bounds
from controller.model.decision import CreateResult, Decision, EventReason, JobDeletion
from controller.model.job import JobRecord, JobState
from controller.model.policy import Mode, Site
from controller.model.schedule import Schedule
from controller.model.status import NEXT_LIMIT, ActiveLaunch, Outcome, RunState, Status
from controller.model.text import cut

YOUNG = timedelta(seconds=60)
"""An object younger than this cannot have lost its status."""
AGAIN = timedelta(seconds=1)
"""After the first visit."""
_ANYWHERE = Site()
_FIRST_BACKOFF, _LAST_BACKOFF = 10, 300


def decide(
    schedule: Schedule,
    status: Status,
    jobs: tuple[JobRecord, ...],
    now: datetime,
    *,
    jobs_fresh: bool,
    held: str = "",
    queued: str = "",
    site: Site = _ANYWHERE,
) -> Decision:
    """What to do for one schedule now.

    `held` says that the clock is wrong, `queued` why this one has to wait for others; '' when all is well.
    """
    if schedule.deleting:
        return Decision(status=status)
    ask_again = Decision(status=status, needs_fresh_jobs=True)
    draft = Draft(schedule, status, now, site)
    mine = adopt.ours(schedule, jobs, status)
    cron, problem = epoch.cron_of(schedule, site)
    if held:
        # Deadlines, slots, epochs: all would be decided for another time, and a running Job ended for nothing.
        return Decision(status=hold(schedule, status, now, site, problem=problem, held=held))
    held = site.held
    first_visit, lost = not status.schedule_hash, False
    if first_visit:
        if not jobs_fresh and now - schedule.created_at > YOUNG:
            return ask_again
        lost = adopt.rebuild(draft, mine)
    if not _settle(draft, mine, fresh=jobs_fresh):
        return ask_again
    while (job := adopt.next_unknown(draft, mine)) is not None:
        adopt.take(draft, job, cron)
        if not _settle(draft, mine, fresh=jobs_fresh):
            return ask_again
    if (found := adopt.strangers(draft, mine)) and not jobs_fresh:
        return ask_again
    draft.strangers = tuple(job.name for job in found)
    if not epoch.turn(draft, lost=lost, jobs_fresh=jobs_fresh):
        return ask_again
    if not draft.status.tokens_seen:
        manual.record_first_visit(draft)
        if schedule.spec is not None and schedule.spec.run_on_create and not lost:
            manual.begin_creation_run(draft, schedule.spec)
    if problem:
        _say_invalid(draft, problem)
    if not first_visit:
        cancel(draft)
        prune(draft, mine)
    if site.mode is Mode.STOP:
        _stop(draft)
    # The first visit launches nothing: once its status is written, a status that is missing can only have been lost.
    if not first_visit and not admit(draft, cron, held=held, queued=queued, fresh=jobs_fresh):
        return ask_again
    serving = cron is not None and schedule.spec is not None and not paused(schedule.spec, site)
    draft.change(next_slots=_next_slots(cron, max(now, schedule.created_at)) if cron and serving else ())
    hindered = hindrance.find(draft, mine)
    draft.status = settle(schedule, draft.status, now, site, problem=problem, held=held, hindrance=hindered)
    at = now + AGAIN if first_visit else wake_at(schedule, draft.status, mine, now, site)
    return replace(draft.decision(), wake_at=at)


def after_create(
    decision: Decision,
    schedule: Schedule,
    result: CreateResult,
    job: JobRecord | None,
    message: str,
    now: datetime,
    site: Site = _ANYWHERE,
) -> Decision:
    """The decision once it is known how its create went. `job` is the Job that now bears the name, where there is one.

    When the answer was lost (the Job may exist or not) do not come here: drop the decision and decide again.
    """
    launch = decision.launch
    run = decision.status.run(launch.run_id) if launch else None
    if launch is None or run is None:
        return decision
    draft = Draft(schedule, decision.status, now, site)
    _, problem = epoch.cron_of(schedule, site)
    if result in (CreateResult.CREATED, CreateResult.ADOPTED) and job is not None:
        draft.enter(job, adopted=result is CreateResult.ADOPTED)
    elif result is CreateResult.NAME_CONFLICT:
        text = f"a Job named {launch.job_name} exists and is not ours; delete or rename it. The next slots go on."
        draft.notice(EventReason.NAME_CONFLICT, f"Run {run.run_id} cannot start: {text}", warning=True)
        draft.close(run, Outcome.FAILED, "NameConflict", text)
    else:
        refusals = run.refusals + 1
        wait = min(_FIRST_BACKOFF * 2 ** min(refusals - 1, 10), _LAST_BACKOFF)
        draft.change_run(
            run,
            refusals=refusals,
            refusal=message,
            not_before=draft.at + timedelta(seconds=wait),
            # A retry stays one, so that it is counted as such when it is launched at last.
            state=run.state if run.state is RunState.RETRYING else RunState.WAITING,
        )
        if refusals == 1:
            draft.note("Refused", f"by the API server: {message}", run.slot)
            draft.notice(
                EventReason.LAUNCH_FAILED, f"Job {launch.job_name} was refused: {message}", warning=True
            )
    # Its other Jobs are not looked at here: what was said of them a moment ago stands.
    hindered = hindrance.told(decision.status)
    if hindered is None and job is not None and job.unlabelled:
        hindered = hindrance.say(draft, hindrance.unlabelled(job))
    draft.status = settle(schedule, draft.status, now, site, problem=problem, hindrance=hindered)
    made = draft.decision()
    return replace(
        decision,
        status=made.status,
        notices=(*decision.notices, *made.notices),
        notes=(*decision.notes, *made.notes),
        entered=(*decision.entered, *made.entered),
        wake_at=wake_at(schedule, made.status, (job,) if job else (), now, site),
    )


def _settle(draft: Draft, mine: list[JobRecord], *, fresh: bool) -> bool:
    """Judge every active launch that has ended, end what is overdue; False when the Jobs must be listed first."""
    for active in draft.status.active:
        job = next((job for job in mine if job.name == active.job_name), None)
        if job is None:
            if not fresh:
                return False
            draft.judge(active, vanished(active, draft.now))
            continue
        if (job.unlabelled or lacks_facts(job, active)) and not fresh:
            return False
        ended = verdict(job, active, draft.now)
        if ended is not None:
            draft.judge(active, ended)
        elif job.state is JobState.ACTIVE and not _go_on(draft, active, job, fresh=fresh):
            return False
    return True


def _go_on(draft: Draft, active: ActiveLaunch, job: JobRecord, *, fresh: bool) -> bool:
    """A launch that goes on: note its start, or that it must end. False when the Jobs and pods must be listed first."""
    seen = active
    run = draft.status.run(active.run_id)
    if job.suspended:
        # Kueue keeps it waiting, or took its pod away: it starts anew when it is let in again.
        seen = replace(active, started_at=None)
        if run and run.state in (RunState.QUEUED, RunState.PENDING, RunState.RUNNING):
            draft.change_run(run, state=RunState.QUEUED)
    elif active.started_at is None and (begun := _begun(job)) is not None:
        seen = replace(active, started_at=begun.replace(microsecond=0))
        if run:
            draft.change_run(run, state=RunState.RUNNING)
    elif run and run.state is RunState.QUEUED:
        draft.change_run(run, state=RunState.PENDING)
    doom = (
        overdue(job, seen, draft.schedule.spec, draft.now)
        if draft.schedule.spec and not active.doomed
        else None
    )
    if doom is not None:
        if seen.started_at is None and not fresh:
            return False  # its pod may be running unseen
        seen = replace(seen, doomed=doom.reason, doomed_message=cut(doom.message, bounds.MAX_MESSAGE // 2))
        draft.note("Deleting", f"{doom.reason}: {doom.message}")
    if seen.doomed and not job.deleting:
        # The intent is written first. Dying between write and delete: the next decision deletes it.
        draft.deletions.append(JobDeletion(job.name, job.uid, seen.doomed))
    if seen != active:
        draft.change(active=tuple(seen if item == active else item for item in draft.status.active))
    return True


def _begun(job: JobRecord) -> datetime | None:
    """When the container of its pod started; a pod that was taken away does not count."""
    return job.pod.started_at if job.pod is not None and not job.pod.gone else None


def _stop(draft: Draft) -> None:
    """The kill switch ends what runs. Written first; the next decision deletes."""
    draft.change(
        active=tuple(
            item if item.doomed else replace(item, doomed=STOPPED, doomed_message="by the kill switch")
            for item in draft.status.active
        )
    )


def _next_slots(cron: Cron, after: datetime) -> tuple[datetime, ...]:
    """Slots lie on whole minutes, so all decisions of a minute, and all schedules of one expression, share an answer."""
    return _slots_after(cron, after.replace(second=0, microsecond=0))


@lru_cache(maxsize=4096)
def _slots_after(cron: Cron, after: datetime) -> tuple[datetime, ...]:
    slots: list[datetime] = []
    while len(slots) < NEXT_LIMIT:
        after = cron.next_after(after)
        slots.append(after)
    return tuple(slots)


def _say_invalid(draft: Draft, problem: str) -> None:
    """One event when it becomes invalid, or differently so."""
    if draft.status.observed_generation != draft.schedule.generation or not draft.status.conditions:
        draft.notice(EventReason.INVALID, f"The schedule cannot be served: {problem}", warning=True)
