"""Draft: a Decision while it is being made, and the book-keeping every step of `decide` shares.

It holds a status that is replaced step by step, and collects notices, notes and deletions. Times it records have whole
seconds, as they will have when they are read back. Each launch is counted when it enters `active` and judged when it
leaves it; a run is counted when it closes. So one write moves a launch to the counters, and no crash can double it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from controller.decide import retry
from controller.decide.verdict import REPLACED, Verdict
from controller.model import bounds
from controller.model.decision import Decision, Ended, EventReason, JobDeletion, Launch, Notice
from controller.model.job import JobRecord
from controller.model.names import slot_of_minutes
from controller.model.policy import Site
from controller.model.schedule import ConcurrencyPolicy, RetryPolicy, Schedule
from controller.model.status import (
    DECISIONS_LIMIT,
    ERRORS_LIMIT,
    GOOD,
    HISTORY_LIMIT,
    ActiveLaunch,
    AttemptError,
    CurrentRun,
    DecisionNote,
    Outcome,
    RunRecord,
    RunState,
    Status,
)
from controller.model.text import cut

_EVENTS = {
    Outcome.SUCCEEDED: EventReason.SUCCEEDED,
    Outcome.PARTIALLY_SUCCEEDED: EventReason.PARTIALLY_SUCCEEDED,
    Outcome.FAILED: EventReason.FAILED,
    Outcome.CANCELLED: EventReason.CANCELLED,
    Outcome.SUPERSEDED: EventReason.SUPERSEDED,
    Outcome.SNOOZED: EventReason.SNOOZED,
    Outcome.CONTINUES: EventReason.CONTINUES,
    Outcome.LOST: EventReason.LOST,
    Outcome.RESULT_UNKNOWN: EventReason.RESULT_UNKNOWN,
}
_RUN_COUNTERS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.PARTIALLY_SUCCEEDED: "partially_succeeded",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
    Outcome.SUPERSEDED: "superseded",
}
_LAUNCH_COUNTERS = {
    Outcome.SNOOZED: "snoozes",
    Outcome.CONTINUES: "continues",
    Outcome.TIMED_OUT: "timeouts",
    Outcome.LOST: "lost",
    Outcome.RESULT_UNKNOWN: "unknown",
}
_QUIET = (*GOOD, Outcome.SNOOZED, Outcome.CONTINUES, Outcome.SUPERSEDED)


class Draft:
    """One decision in the making."""

    def __init__(self, schedule: Schedule, status: Status, now: datetime, site: Site = Site()) -> None:  # noqa: B008 - frozen
        self.schedule = schedule
        self.site = site
        self.status = status
        self.now = now
        self.at = now.replace(microsecond=0)
        self.launch: Launch | None = None
        self.replaces: datetime | None = None
        self.deletions: list[JobDeletion] = []
        self.notices: list[Notice] = []
        self.notes: list[DecisionNote] = []
        self.entered: list[ActiveLaunch] = []
        self.strangers: tuple[str, ...] = ()
        """Jobs of ours that go on and belong to no run under way."""
        self.ended: list[Ended] = []

    @property
    def policy(self) -> RetryPolicy:
        return self.schedule.spec.retry if self.schedule.spec else RetryPolicy()

    def allowed(self, run: CurrentRun) -> int:
        """How many attempts the run has."""
        return self.policy.max_attempts + run.granted

    def change(self, **values: Any) -> None:
        self.status = replace(self.status, **values)

    def change_run(self, run: CurrentRun, **values: Any) -> None:
        """Change the unfinished run of that id; nothing when it is over."""
        self._set_runs(
            bounds.current_run(replace(item, **values)) if item.run_id == run.run_id else item
            for item in self.status.runs
        )

    def _set_runs(self, runs: Iterable[CurrentRun]) -> None:
        """Of the unfinished runs the newest is the current one."""
        runs = tuple(runs)
        self.change(current=runs[-1] if runs else None, beside=runs[:-1])

    def count(self, **increments: int) -> None:
        counters = self.status.counters
        self.change(
            counters=replace(
                counters, **{name: getattr(counters, name) + by for name, by in increments.items()}
            )
        )

    def note(self, what: str, why: str, slot: datetime | None = None) -> None:
        made = bounds.note(self.at, slot, what, why)
        self.notes.append(made)
        self.change(decisions=(made, *self.status.decisions)[:DECISIONS_LIMIT])

    def notice(self, reason: EventReason, message: str, *, warning: bool = False) -> None:
        self.notices.append(Notice(reason, cut(message, 512), warning=warning))

    def decision(self) -> Decision:
        return Decision(
            status=self.status,
            launch=self.launch,
            replaces=self.replaces,
            deletions=tuple(self.deletions),
            notices=tuple(self.notices),
            notes=tuple(self.notes),
            entered=tuple(self.entered),
            ended=tuple(self.ended),
        )

    def begin(self, run: CurrentRun) -> None:
        """Make it the current run. One that only waited is closed, or folded in when it never came to a launch.

        With `Allow` a run that came to a launch goes on beside it.
        """
        old = self.status.current
        if old is not None and old.launch > 0 and self._side_by_side():
            self.change(beside=self.status.runs, current=None)
        elif old is not None and old.run_id != run.run_id:
            if old.state is RunState.SNOOZED and old.not_before and old.not_before > self.now:
                run = replace(run, state=RunState.SNOOZED, not_before=old.not_before)
            if old.launch == 0:
                run = replace(run, not_before=old.not_before, refusals=old.refusals, refusal=old.refusal)
            if old.launch == 0 and old.trigger == "Cron" and run.trigger == "Cron":
                run = replace(run, coalesced=run.coalesced + old.coalesced + 1)
                self.count(slots_coalesced=1)
                self.note("Coalesced", f"into run {run.run_id} before its first launch", old.slot)
            else:
                self.close(old, Outcome.SUPERSEDED, *self._why_superseded(old, run))
            self._set_runs(item for item in self.status.runs if item.run_id != old.run_id)
        others = (item for item in self.status.runs if item.run_id != run.run_id)
        self._set_runs((*others, bounds.current_run(run)))

    def drop(self, run: CurrentRun, why: str) -> None:
        """A run of a slot that never came to a launch is skipped, as its slot would have been."""
        self.count(slots_skipped=1)
        self.note("Skipped", f"slot {run.run_id} {why}", run.slot)
        self._set_runs(item for item in self.status.runs if item.run_id != run.run_id)

    def _why_superseded(self, old: CurrentRun, by: CurrentRun) -> tuple[str, str]:
        """Reason and message; those of its launch, when that was ended for it and nobody has seen its end yet."""
        for item in self.status.active:
            if item.run_id == old.run_id and item.doomed == REPLACED:
                return item.doomed, item.doomed_message
        return "Superseded", f"by run {by.run_id} while it waited ({old.state})"

    def _side_by_side(self) -> bool:
        spec = self.schedule.spec
        return spec is not None and spec.concurrency is ConcurrencyPolicy.ALLOW

    def enter(self, job: JobRecord, *, adopted: bool) -> None:
        """A Job of an unfinished run exists: it becomes active, and is counted as launched.

        Dying before this is written, after the Job was created: the next decision finds the Job by its labels and
        comes here again. Dying after: it stands in `active`, and is not entered twice.
        """
        run = self.status.run(job.run_id)
        if run is None:
            return
        slot = slot_of_minutes(job.slot_minutes)
        launch = ActiveLaunch(run.run_id, job.launch, job.attempt, job.name, job.uid, job.created_at)
        self.entered.append(launch)
        self.count(launches=1, retries=int(run.state is RunState.RETRYING))
        self.change(active=(*self.status.active, launch))
        self.change_run(
            run,
            slot=slot,
            attempt=job.attempt,
            launch=max(run.launch, job.launch),
            state=RunState.PENDING,
            not_before=None,
            started_at=run.started_at or job.created_at,
            refusals=0,
            refusal="",
            generation=job.generation,
        )
        what, reason = ("Adopted", EventReason.ADOPTED) if adopted else ("Launched", EventReason.LAUNCHED)
        text = f"Job {job.name}, attempt {job.attempt}/{self.allowed(run)}, launch {job.launch}"
        self.note(what, text, slot)
        self.notice(reason, f"{what} {text}")

    def judge(self, active: ActiveLaunch, verdict: Verdict) -> None:
        """Move a launch from `active` to the counters, and its run to what follows."""
        self.change(active=tuple(item for item in self.status.active if item != active))
        self.ended.append(Ended(active, verdict.outcome, verdict.reason, verdict.finished_at))
        run = self.status.run(active.run_id)
        if run is None:
            return
        if name := _LAUNCH_COUNTERS.get(verdict.outcome):
            self.count(**{name: 1})
        if verdict.outcome not in _QUIET:
            error = bounds.attempt_error(
                AttemptError(
                    verdict.finished_at.replace(microsecond=0),
                    active.attempt,
                    active.launch,
                    verdict.reason,
                    verdict.message,
                )
            )
            self.change_run(run, errors=(*run.errors, error)[-ERRORS_LIMIT:])
            if verdict.outcome not in (Outcome.LOST, Outcome.RESULT_UNKNOWN):
                self.change(last_failure_at=_latest(self.status.last_failure_at, verdict.finished_at))
        self._follow(run, verdict)

    def _follow(self, run: CurrentRun, verdict: Verdict) -> None:
        tally = {
            Outcome.SNOOZED: {"snoozes": run.snoozes + 1},
            Outcome.CONTINUES: {"continues": run.continues + 1},
            Outcome.LOST: {"lost": run.lost + 1},
            Outcome.RESULT_UNKNOWN: {"unknown": run.unknown + 1},
        }.get(verdict.outcome, {})
        self.change_run(run, **tally)
        why = f"{verdict.outcome}: {verdict.reason}"
        match retry.after(self.schedule.uid, run, verdict, self.policy):
            case retry.Close(outcome, reason, message):
                self.close(run, outcome, reason, message, verdict)
            case retry.Wait(not_before, attempt, state):
                self.change_run(
                    run, state=state, attempt=attempt, not_before=not_before.replace(microsecond=0)
                )
                self.note(state.value, f"{why}; again at {not_before:%H:%M:%S}Z", run.slot)
                reason = EventReason.SNOOZED if state is RunState.SNOOZED else EventReason.RETRYING
                self.notice(
                    reason,
                    f"Run {run.run_id}, attempt {run.attempt}/{self.allowed(run)}: {verdict.reason}: "
                    f"{verdict.message}; launched again at {not_before:%Y-%m-%dT%H:%M:%SZ}",
                    warning=state is RunState.RETRYING,
                )
            case retry.Relaunch():
                self.change_run(run, state=RunState.WAITING, not_before=None)
                self.note("Relaunching", why, run.slot)
                self.notice(
                    _EVENTS[verdict.outcome],
                    f"Run {run.run_id}: {verdict.message or verdict.reason}; launched again, no attempt used",
                    warning=verdict.outcome is not Outcome.CONTINUES,
                )

    def close(
        self, run: CurrentRun, outcome: Outcome, reason: str, message: str, verdict: Verdict | None = None
    ) -> None:
        """The run is over: history, counters, last times. It is counted here and nowhere else."""
        run = self.status.run(run.run_id) or run
        finished = (verdict.finished_at if verdict else self.now).replace(microsecond=0)
        summary = verdict.summary if verdict else None
        record = bounds.run_record(
            RunRecord(
                run_id=run.run_id,
                slot=run.slot,
                trigger=run.trigger,
                outcome=outcome,
                attempts=run.attempt,
                launches=run.launch,
                finished_at=finished,
                duration_seconds=max(0, int((finished - (run.started_at or finished)).total_seconds())),
                workspaces_ok=summary.succeeded_workspaces if summary else 0,
                workspaces_total=summary.total_workspaces if summary else 0,
                rows_written=summary.rows_written if summary else 0,
                reason=reason,
                message=message,
                generation=run.generation,
            )
        )
        self.count(runs=1, **{_RUN_COUNTERS[outcome]: 1})
        self.change(history=(record, *self.status.history)[:HISTORY_LIMIT])
        self._set_runs(item for item in self.status.runs if item.run_id != run.run_id)
        if outcome is not Outcome.SUPERSEDED:
            self.change(last_run=record, last_summary=bounds.short_summary(summary) if summary else "")
        if outcome in GOOD:
            self.change(
                consecutive_failures=0,
                last_success_at=_latest(self.status.last_success_at, finished),
                newest_final_day=(summary and summary.newest_final_day) or self.status.newest_final_day,
            )
        elif outcome is not Outcome.SUPERSEDED or run.errors:
            # Superseded between two attempts is not a success either: a schedule faster than its retries would hide it.
            self.change(
                consecutive_failures=self.status.consecutive_failures + 1,
                last_failure_at=_latest(self.status.last_failure_at, finished),
            )
        text = f"{outcome}{f' ({reason})' if reason and reason != outcome else ''}{f': {message}' if message else ''}"
        self.note("Superseded" if outcome is Outcome.SUPERSEDED else "Finished", text, run.slot)
        self.notice(
            _EVENTS[outcome],
            f"Run {run.run_id} {text}",
            warning=outcome not in (Outcome.SUCCEEDED, Outcome.SUPERSEDED),
        )


def _latest(old: datetime | None, new: datetime) -> datetime:
    new = new.replace(microsecond=0)
    return new if old is None else max(old, new)
