"""Epoch: since when slots count. An edit or a resume never fires an old slot.

The status keeps a hash of (schedule, timeZone, suspend, and whether it is for this environment and not too often). While it holds, slots count since the object was made, or since
the last change; a new hash moves `effective_since` to now. Slots known to have waited then are skipped, with a note, and so is a run that was not launched yet.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from contract import Trigger
from controller.decide.cron import Cron, CronError
from controller.decide.draft import Draft
from controller.decide.gates import elsewhere, forbidden
from controller.decide.often import EVERY_MINUTE, too_often
from controller.decide.slots import Due
from controller.model.decision import EventReason
from controller.model.names import digest
from controller.model.policy import Site
from controller.model.schedule import Schedule
from controller.model.spread import SpreadError, spread


def cron_of(schedule: Schedule, site: Site) -> tuple[Cron | None, str]:
    """The schedule's Cron, or what is wrong with the spec, here."""
    if schedule.spec is None:
        return None, schedule.problem or "the spec cannot be read"
    if why := forbidden(schedule.spec, site):
        return None, why
    try:
        cron = Cron.parse(spread(schedule.spec.schedule, schedule.uid), schedule.spec.time_zone)
    except (CronError, SpreadError) as error:
        return None, str(error)
    wrong = too_often(cron, site.min_interval_seconds)
    return (None, wrong) if wrong else (cron, "")


def schedule_hash(schedule: Schedule, site: Site) -> str:
    spec = schedule.spec
    if spec is None:
        return digest("schedule", "invalid")
    here = ("elsewhere",) if elsewhere(spec, site) else ()
    if site.min_interval_seconds > EVERY_MINUTE:
        cron, _ = cron_of(schedule, replace(site, min_interval_seconds=EVERY_MINUTE))
        if cron is not None and too_often(cron, site.min_interval_seconds):
            # Allowed again, it fires no slot from the time when it was not.
            here = (*here, "too often")
    return digest("schedule", spec.schedule, spec.time_zone, str(spec.suspend), *here)


def decided_until(draft: Draft) -> datetime:
    """Slots up to here are decided, or never counted."""
    known = (draft.status.effective_since, draft.status.watermark)
    return max((moment for moment in known if moment is not None), default=draft.schedule.created_at)


def coalesce(draft: Draft, slots: Due) -> None:
    """Record the older due slots that go with the one that runs."""
    if slots.slot is None or not slots.coalesced:
        return
    why = f"{slots.counted(slots.coalesced)} older slots go with {slots.slot:%Y-%m-%dT%H:%MZ}"
    draft.count(slots_coalesced=slots.coalesced)
    draft.note("Coalesced", why, slots.slot)
    draft.notice(EventReason.SLOTS_COALESCED, why)


def turn(draft: Draft, *, lost: bool, jobs_fresh: bool) -> bool:
    """Begin a new epoch when the hash is another; `lost` says that the status was rebuilt from Jobs.

    False when the Jobs must be listed first: a run without a launch may have a Job that nobody has seen.
    """
    status, spec = draft.status, draft.schedule.spec
    fresh = schedule_hash(draft.schedule, draft.site)
    if fresh == status.schedule_hash:
        return True
    if status.schedule_hash:
        idle = [run for run in status.runs if run.trigger == Trigger.CRON and run.launch == 0]
        if idle and not jobs_fresh:
            return False
        for run in idle:
            draft.drop(run, "was not launched yet when the schedule was edited or suspended")
        waited = [run_id for run_id in status.waiting if run_id.isdigit()]
        for run_id in waited:
            draft.note("Skipped", f"slot {run_id} waited when the schedule was edited or suspended")
        draft.count(slots_skipped=len(waited))
        draft.change(effective_since=draft.at, waiting=())
    elif spec is None:
        draft.change(effective_since=draft.at)
    else:
        # After a loss nothing up to the newest slot that has a Job fires again; what came due since then does.
        known = status.watermark if lost else None
        draft.change(effective_since=known or draft.schedule.created_at)
    draft.change(schedule_hash=fresh)
    return True
