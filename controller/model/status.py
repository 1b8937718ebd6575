"""Status: everything the operator knows of a schedule beyond its spec, as it stands in `.status`.

It is derived, never incremented blindly: `active` lists the launches not yet counted, and the one write that moves a
launch to the counters names its Job UID, so a crash can neither lose nor double a count. Bounded lists keep the whole
object below 16 KiB. `status_io` turns it into JSON and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

HISTORY_LIMIT = 10
ERRORS_LIMIT = 3
DECISIONS_LIMIT = 20
TOKENS_LIMIT = 20
RUNS_LIMIT = 4
"""Unfinished runs of one schedule side by side (`concurrencyPolicy: Allow`)."""
NEXT_LIMIT = 3
WAITING_LIMIT = 4


class Outcome(StrEnum):
    """How a launch, and in the end a run, came out."""

    SUCCEEDED = "Succeeded"
    PARTIALLY_SUCCEEDED = "PartiallySucceeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SNOOZED = "Snoozed"
    CONTINUES = "Continues"
    TIMED_OUT = "TimedOut"
    LOST = "Lost"
    RESULT_UNKNOWN = "ResultUnknown"
    SUPERSEDED = "Superseded"
    """Of a run that only waited when a newer slot came due."""


GOOD = (Outcome.SUCCEEDED, Outcome.PARTIALLY_SUCCEEDED)
"""Something was synced, and nothing is to be done again."""


class RunState(StrEnum):
    """Where the current run stands."""

    WAITING = "Waiting"
    """To be launched as soon as it may be: new, lost, unknown or continued."""
    QUEUED = "Queued"
    """To be launched as soon as its queue lets it."""
    PENDING = "Pending"
    """A Job exists, its container has not started."""
    RUNNING = "Running"
    RETRYING = "Retrying"
    """Waits for `not_before` to launch again, after a failure."""
    SNOOZED = "Snoozed"
    """Waits for `not_before` to launch again; no attempt was used."""


@dataclass(frozen=True, slots=True)
class AttemptError:
    at: datetime
    attempt: int
    launch: int
    reason: str
    message: str
    """At most 256 bytes."""


@dataclass(frozen=True, slots=True)
class ActiveLaunch:
    """A launch not yet counted."""

    run_id: str
    launch: int
    attempt: int
    job_name: str
    job_uid: str
    created_at: datetime
    started_at: datetime | None = None
    """When its container was seen to start."""
    doomed: str = ""
    """Reason for which the operator deletes the Job; written before the delete, so that the verdict outlives it."""
    doomed_message: str = ""


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """An unfinished run."""

    run_id: str
    slot: datetime
    trigger: str
    """Cron, Manual or Create (contract.Trigger)."""
    state: RunState
    attempt: int
    launch: int
    """Newest launch number given out; only grows."""
    granted: int = 0
    """Attempts that a person granted beyond `retry.maxAttempts`."""
    token: str = ""
    reason: str = ""
    requested_by: str = ""
    workspaces: tuple[str, ...] = ()
    """Of a run by hand: only these; empty means all."""
    window_days: int = 0
    """Of a run by hand: instead of the schedule's; 0 means the schedule's."""
    dry_run: bool = False
    not_before: datetime | None = None
    started_at: datetime | None = None
    snoozes: int = 0
    continues: int = 0
    lost: int = 0
    unknown: int = 0
    coalesced: int = 0
    """Older due slots that this run stands for."""
    refusals: int = 0
    """Creates refused by the API server in a row."""
    refusal: str = ""
    errors: tuple[AttemptError, ...] = ()
    generation: int = 0
    """Of the spec that its newest launch began with; 0 when that is not known."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished run in the history, at most 512 bytes of JSON."""

    run_id: str
    slot: datetime
    trigger: str
    outcome: Outcome
    attempts: int
    launches: int
    finished_at: datetime
    duration_seconds: int
    workspaces_ok: int = 0
    workspaces_total: int = 0
    rows_written: int = 0
    reason: str = ""
    message: str = ""
    generation: int = 0
    """Of the spec that its last launch began with; 0 when that is not known."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the object was made; they never fall."""

    runs: int = 0
    succeeded: int = 0
    partially_succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    superseded: int = 0
    launches: int = 0
    retries: int = 0
    """Launches that used a further attempt after a failure."""
    snoozes: int = 0
    continues: int = 0
    timeouts: int = 0
    lost: int = 0
    unknown: int = 0
    slots_coalesced: int = 0
    slots_missed: int = 0
    slots_skipped: int = 0
    """Slots that waited when the schedule was edited or suspended."""


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """Why something did or did not run; at most 160 bytes of JSON."""

    at: datetime
    what: str
    """Launched, Adopted, Waiting, Coalesced, Superseded, Missed, Skipped, Retrying, Snoozed, Finished, Refused ..."""
    why: str
    slot: datetime | None = None
    """Of the run it is about."""


class ConditionType(StrEnum):
    READY = "Ready"
    SUSPENDED = "Suspended"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SYNCED = "Synced"
    DEGRADED = "Degraded"


@dataclass(frozen=True, slots=True)
class Condition:
    type: ConditionType
    status: str
    """True, False or Unknown."""
    reason: str
    message: str
    observed_generation: int
    last_transition_time: datetime


@dataclass(frozen=True, slots=True)
class Status:
    observed_generation: int = 0
    schedule_hash: str = ""
    """Of (schedule, timeZone, suspend); a new value sets `effective_since` to now."""
    effective_since: datetime | None = None
    """Slots at or before it never fire."""
    watermark: datetime | None = None
    """The newest slot that was decided (`lastScheduleTime`); never goes back."""
    manual_watermark: datetime | None = None
    """Slot of the newest run begun by hand; never goes back. Jobs of older ones are never taken for new."""
    next_slots: tuple[datetime, ...] = ()
    waiting: tuple[str, ...] = ()
    """Run ids that wait for a running launch and were told about: once each, not once a cycle."""
    current: CurrentRun | None = None
    """The newest unfinished run; with `Forbid` and `Replace` the only one."""
    beside: tuple[CurrentRun, ...] = ()
    """Other unfinished runs, oldest first."""
    active: tuple[ActiveLaunch, ...] = ()
    counters: Counters = field(default_factory=Counters)
    consecutive_failures: int = 0
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    newest_final_day: date | None = None
    last_run: RunRecord | None = None
    """The newest run that ended by its own result (not superseded)."""
    last_summary: str = ""
    """Its RunSummary as canonical JSON, at most 2 KiB; '' when it left none."""
    history: tuple[RunRecord, ...] = ()
    """Newest first."""
    tokens: tuple[str, ...] = ()
    """Hashes of handled run-now tokens, newest first."""
    tokens_seen: bool = False
    """The object's first visit is over: tokens found later are asked for by a person."""
    decisions: tuple[DecisionNote, ...] = ()
    """Newest first."""
    conditions: tuple[Condition, ...] = ()

    @property
    def next_slot(self) -> datetime | None:
        return self.next_slots[0] if self.next_slots else None

    @property
    def runs(self) -> tuple[CurrentRun, ...]:
        """The unfinished runs, oldest first."""
        return (*self.beside, self.current) if self.current is not None else self.beside

    def run(self, run_id: str) -> CurrentRun | None:
        """The unfinished run of that id."""
        return next((run for run in self.runs if run.run_id == run_id), None)

    def launched(self, run_id: str) -> bool:
        """Whether a launch of that run is on its way."""
        return any(launch.run_id == run_id for launch in self.active)

    def condition(self, type_: ConditionType) -> Condition | None:
        return next((condition for condition in self.conditions if condition.type == type_), None)
