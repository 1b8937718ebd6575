"""Admit: which run comes next, and may it be launched now, by the concurrency policy.

One path for slots, runs by hand and retries alike. A person's wish comes first, then the next due slot; either supersedes
a run that only waits, unless `catchUp: All` wants every slot to run. While a launch is on its way the next run waits
(`Forbid`), takes its place (`Replace`) or goes beside it (`Allow`). Whatever is unfinished then is launched, unless it
waits for its time, is suspended, or the operator is held.
"""

from __future__ import annotations

from dataclasses import replace

from contract import Trigger
from controller.decide import manual
from controller.decide.cron import Cron
from controller.decide.draft import Draft
from controller.decide.epoch import coalesce, decided_until
from controller.decide.gates import in_rollout, paused
from controller.decide.slots import Due, due
from controller.decide.verdict import REPLACED
from controller.model.decision import EventReason, Launch
from controller.model.names import job_name, run_id_of_slot
from controller.model.policy import Mode
from controller.model.schedule import CatchUpPolicy, ConcurrencyPolicy, Spec
from controller.model.status import RUNS_LIMIT, WAITING_LIMIT, CurrentRun, Outcome, RunState


def admit(draft: Draft, cron: Cron | None, *, held: str, queued: str, fresh: bool) -> bool:
    """Begin and launch what may be; False when the Jobs must be listed first."""
    spec = draft.schedule.spec
    if spec is None or cron is None or held:
        return True
    why_not = paused(spec, draft.site)
    remedy = "; set `suspend: false` first" if spec.suspend else ""
    refusal = f"nothing of this schedule runs here now: {why_not}{remedy}" if why_not else ""
    ask = manual.open_ask(draft, refusal=refusal)
    slots = Due() if why_not else _due(draft, cron, spec)
    if ask is not None or slots.slot is not None:
        why = _no_room(draft, spec, asked=ask is not None, queued=queued)
        if why:
            _wait(draft, slots, ask, why)
            may_start = draft.site.mode is not Mode.DRAIN and not queued
            if spec.concurrency is ConcurrencyPolicy.REPLACE and may_start:
                _replace(draft, slots, ask)
        else:
            draft.change(waiting=())
            if ask is not None:
                manual.begin(draft, ask)
                if ask.kind == manual.RETRY:
                    # The run was closed: until the status says that it is open again, a Job of it would be a stray.
                    return True
            else:
                _begin_slot(draft, slots)
    elif draft.status.waiting:
        draft.change(waiting=())
    return bool(why_not) or _launch(draft, queued=queued, fresh=fresh)


def _no_room(draft: Draft, spec: Spec, *, asked: bool, queued: str) -> str:
    """Why the next run cannot begin now; `asked` says that it is a person's wish."""
    status = draft.status
    if draft.site.mode is Mode.DRAIN:
        return f"while the kill switch is set to '{draft.site.mode}'"
    running = status.active[-1] if status.active else None
    every = spec.catch_up.policy is CatchUpPolicy.ALL
    if spec.concurrency is ConcurrencyPolicy.ALLOW:
        if every and status.current is not None and status.current.launch == 0:
            return f"for run {status.current.run_id} to be launched"
        return f"for one of {len(status.runs)} runs" if len(status.runs) >= RUNS_LIMIT else ""
    if draft.strangers:
        return f"for Job {draft.strangers[0]} to end"
    if running is not None and queued:
        return f"because {queued}"
    if running is not None:
        what = f"run {running.run_id}, launch {running.launch}"
        return f"until {what} is gone" if spec.concurrency is ConcurrencyPolicy.REPLACE else f"for {what}"
    if status.current is not None and (every or (not asked and _persons(status.current, spec))):
        return f"for run {status.current.run_id} to end"
    return ""


def _persons(run: CurrentRun, spec: Spec) -> bool:
    """Whether a slot has to wait for a run that a person asked for, or opened again.

    It may do what no slot does: other days, other workspaces, nothing at all. With `Replace` it is launched before a slot
    takes its place; between its attempts it yields, as others do.
    """
    by_hand = run.trigger == Trigger.MANUAL or run.granted > 0
    return by_hand and (spec.concurrency is not ConcurrencyPolicy.REPLACE or run.not_before is None)


def _launch(draft: Draft, *, queued: str, fresh: bool) -> bool:
    """Launch the oldest unfinished run whose time has come, one in a decision; the next decision takes the next."""
    for run in draft.status.runs:
        if draft.status.launched(run.run_id) or _alone(draft):
            continue
        if run.not_before is not None and draft.now < run.not_before:
            continue
        if run.launch == 0 and draft.site.mode is Mode.DRAIN:
            continue  # it was queued or refused, or is the first of a new schedule: it has not begun
        if run.attempt > draft.allowed(run):
            last = run.errors[-1] if run.errors else None
            reason, message = (last.reason, last.message) if last else ("AttemptsExhausted", "")
            draft.close(run, Outcome.FAILED, reason, message)
            continue
        if not fresh:
            return False
        if queued:
            _queue(draft, run, queued)
            continue
        launch = run.launch + 1
        draft.launch = Launch(
            job_name=job_name(draft.schedule.name, draft.schedule.uid, run.run_id, launch),
            run_id=run.run_id,
            slot=run.slot,
            trigger=run.trigger,
            attempt=run.attempt,
            launch=launch,
            workspaces=run.workspaces,
            window_days=run.window_days,
            dry_run=run.dry_run,
        )
        return True
    return True


def _queue(draft: Draft, run: CurrentRun, why: str) -> None:
    """It has to wait for others; said once. A retry stays one, so that it is counted as such when it is launched."""
    if run.state in (RunState.QUEUED, RunState.RETRYING):
        return
    draft.change_run(run, state=RunState.QUEUED, not_before=None)
    draft.note("Queued", why, run.slot)


def _alone(draft: Draft) -> bool:
    """Whether a launch on its way keeps every other from starting: always, but with `Allow`."""
    spec = draft.schedule.spec
    return (
        bool(draft.status.active or draft.strangers)
        and spec is not None
        and spec.concurrency is not ConcurrencyPolicy.ALLOW
    )


def _due(draft: Draft, cron: Cron, spec: Spec) -> Due:
    """The due slots; those that are missed are recorded, once for the whole gap."""
    found = due(cron, decided_until(draft), draft.now, spec.catch_up, draft.status.waiting)
    if found.missed_until is not None:
        rule = "`catchUp.policy: None`" if spec.catch_up.policy is CatchUpPolicy.NONE else "maxAgeSeconds"
        why = f"{found.counted(found.missed)} slots up to {found.missed_until:%Y-%m-%dT%H:%MZ} are too late ({rule})"
        draft.change(watermark=found.missed_until)
        draft.count(slots_missed=found.missed)
        draft.note("Missed", why, found.missed_until)
        draft.notice(EventReason.SLOTS_MISSED, why, warning=True)
    if found.slot is not None and (why := in_rollout(draft.schedule, spec, found.slot)):
        number = 1 + found.coalesced
        draft.change(watermark=found.slot)
        draft.count(slots_skipped=number)
        draft.note("Skipped", f"{number} slots: {why}" if number > 1 else why, found.slot)
        return Due()
    return found


def _wait(draft: Draft, slots: Due, ask: manual.Ask | None, why: str) -> None:
    """What is due waits. Each is told about once, not once a cycle."""
    waiting = _came_in_time(draft, slots)
    for slot in (*((slots.slot,) if slots.slot else ()), *slots.following)[-WAITING_LIMIT + 1 :]:
        run_id = run_id_of_slot(slot)
        waiting.append(run_id)
        if run_id not in draft.status.waiting:
            draft.note("Waiting", why, slot)
            draft.notice(EventReason.OVERLAP, f"Slot {slot:%Y-%m-%dT%H:%MZ} waits {why}")
    if ask is not None:
        waiting.append(ask.run_id)
        if ask.run_id not in draft.status.waiting:
            draft.note("Waiting", f"{ask.kind} waits {why}")
    draft.change(waiting=tuple(waiting))


def _came_in_time(draft: Draft, slots: Due) -> list[str]:
    """The oldest slot that waits, with `catchUp: None`: those since then have not missed their time."""
    spec, newest = draft.schedule.spec, slots.slot and run_id_of_slot(slots.slot)
    if spec is None or spec.catch_up.policy is not CatchUpPolicy.NONE or not slots.coalesced:
        return []
    return [run_id for run_id in draft.status.waiting[:1] if run_id.isdecimal() and run_id != newest]


def _replace(draft: Draft, slots: Due, ask: manual.Ask | None) -> None:
    """What runs is to end. The next decision deletes it, the one after that launches what waits."""
    slot = ask.run.slot if ask is not None else slots.slot
    if slot is None or all(item.doomed for item in draft.status.active):
        return
    draft.replaces = slot
    by = ask.run_id if ask is not None else run_id_of_slot(slot)
    draft.change(
        active=tuple(
            item
            if item.doomed
            else replace(item, doomed=REPLACED, doomed_message=f"run {by} takes its place")
            for item in draft.status.active
        )
    )


def _begin_slot(draft: Draft, slots: Due) -> None:
    """The next due slot becomes the current run and stands for the older ones."""
    if slots.slot is None:
        return
    coalesce(draft, slots)
    draft.begin(
        CurrentRun(
            run_id=run_id_of_slot(slots.slot),
            slot=slots.slot,
            trigger="Cron",
            state=RunState.WAITING,
            attempt=1,
            launch=0,
            coalesced=slots.coalesced,
        )
    )
    draft.change(watermark=slots.slot)
