"""Admit: which run comes next, and may it be launched now (concurrency policy `Forbid`).

One path for slots, runs by hand and retries alike. While a launch is on its way everything waits, and says so once.
Otherwise a person's wish comes first, then the newest due slot; either supersedes a run that only waits. Whatever is
current then is launched, unless it waits for its time, is suspended, or the operator is held.
"""

from __future__ import annotations

from datetime import timedelta

from controller.decide import manual
from controller.decide.cron import Cron
from controller.decide.draft import Draft
from controller.decide.epoch import coalesce, decided_until
from controller.decide.slots import Due, due
from controller.model.decision import EventReason, Launch
from controller.model.names import job_name, run_id_of_slot, run_id_of_token
from controller.model.status import CurrentRun, Outcome, RunState


def admit(draft: Draft, cron: Cron | None, *, held: str, fresh: bool) -> bool:
    """Begin and launch what may be; False when the Jobs must be listed first."""
    spec = draft.schedule.spec
    if spec is None or cron is None or held:
        return True
    refusal = "the schedule is suspended; set `suspend: false` first" if spec.suspend else ""
    ask = manual.open_ask(draft, refusal=refusal)
    slots = Due() if spec.suspend else _due(draft, cron, spec.catch_up_max_age_seconds)
    if draft.status.active:
        _wait(draft, slots, ask)
        return True
    draft.change(waiting=())
    if ask is not None:
        manual.begin(draft, ask)
    elif slots.newest is not None:
        _begin_slot(draft, slots)
    run = draft.status.current
    if run is None or spec.suspend or (run.not_before is not None and draft.now < run.not_before):
        return True
    if run.attempt > spec.retry.max_attempts:
        last = run.errors[-1] if run.errors else None
        draft.close(
            Outcome.FAILED, last.reason if last else "AttemptsExhausted", last.message if last else ""
        )
        return True
    if not fresh:
        return False
    launch = run.launch + 1
    draft.launch = Launch(
        job_name=job_name(draft.schedule.name, draft.schedule.uid, run.run_id, launch),
        run_id=run.run_id,
        slot=run.slot,
        trigger=run.trigger,
        attempt=run.attempt,
        launch=launch,
    )
    return True


def _due(draft: Draft, cron: Cron, max_age_seconds: int) -> Due:
    """The due slots; when all are too old they are recorded as missed, once for the whole gap."""
    found = due(cron, decided_until(draft), draft.now, timedelta(seconds=max_age_seconds))
    if found.missed_until is not None:
        why = f"{found.counted(found.missed)} slots up to {found.missed_until:%Y-%m-%dT%H:%MZ} are older than maxAgeSeconds"
        draft.change(watermark=found.missed_until)
        draft.count(slots_missed=found.missed)
        draft.note("Missed", why, found.missed_until)
        draft.notice(EventReason.SLOTS_MISSED, why, warning=True)
    return found


def _wait(draft: Draft, slots: Due, ask: manual.Ask | None) -> None:
    """A launch is on its way: what is due waits. Each is told about once, not once a cycle."""
    waiting = []
    running = draft.status.active[-1]
    if slots.newest is not None:
        run_id = run_id_of_slot(slots.newest)
        waiting.append(run_id)
        if run_id not in draft.status.waiting:
            why = f"for run {running.run_id}, launch {running.launch}"
            draft.note("Waiting", why, slots.newest)
            draft.notice(EventReason.OVERLAP, f"Slot {slots.newest:%Y-%m-%dT%H:%MZ} waits {why}")
    if ask is not None:
        run_id = run_id_of_token(ask.token)
        waiting.append(run_id)
        if run_id not in draft.status.waiting:
            draft.note("Waiting", f"run-now waits for run {running.run_id}, launch {running.launch}")
    draft.change(waiting=tuple(waiting))


def _begin_slot(draft: Draft, slots: Due) -> None:
    """The newest due slot becomes the current run and stands for the older ones."""
    if slots.newest is None:
        return
    coalesce(draft, slots)
    draft.begin(
        CurrentRun(
            run_id=run_id_of_slot(slots.newest),
            slot=slots.newest,
            trigger="Cron",
            state=RunState.WAITING,
            attempt=1,
            launch=0,
            coalesced=slots.coalesced,
        )
    )
    draft.change(watermark=slots.newest)
