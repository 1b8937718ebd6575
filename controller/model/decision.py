"""Decision: what `decide` wants done for one schedule, as a value.

`act` carries it out in this order: creates, then the status write, then deletes (their intent is in the status by
then), then events and log lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.model.status import ActiveLaunch, DecisionNote, Outcome, Status


class EventReason(StrEnum):
    """The fixed list of event reasons."""

    LAUNCHED = "SyncJobCreated"
    ADOPTED = "SyncJobAdopted"
    SUCCEEDED = "SyncSucceeded"
    PARTIALLY_SUCCEEDED = "SyncPartiallySucceeded"
    FAILED = "SyncFailed"
    RETRYING = "SyncRetrying"
    SNOOZED = "SyncSnoozed"
    CONTINUES = "SyncContinues"
    CANCELLED = "SyncCancelled"
    LOST = "SyncLost"
    RESULT_UNKNOWN = "SyncResultUnknown"
    SUPERSEDED = "RunSuperseded"
    OVERLAP = "OverlapPrevented"
    SLOTS_COALESCED = "SlotsCoalesced"
    SLOTS_MISSED = "SlotsMissed"
    INVALID = "ScheduleInvalid"
    STUCK = "SyncJobStuck"
    UNLABELLED = "SyncJobLabelsRemoved"
    NAME_CONFLICT = "NameConflict"
    LAUNCH_FAILED = "LaunchFailed"
    RUN_NOW_REFUSED = "RunNowRefused"
    CANCEL_REFUSED = "CancelRefused"
    RETRY_REFUSED = "RetryRefused"


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to record on the schedule; recorded on transitions only."""

    reason: EventReason
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """One Job to create. `act.manifest` builds the Job from this and the Schedule; the name is a pure function of it."""

    job_name: str
    run_id: str
    slot: datetime
    trigger: str
    attempt: int
    launch: int
    workspaces: tuple[str, ...] = ()
    """Only these; empty means all."""
    window_days: int = 0
    """Instead of the schedule's; 0 means the schedule's."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class JobDeletion:
    """Deleted with this UID as precondition, foreground."""

    name: str
    uid: str
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A launch that came to its end, and how."""

    launch: ActiveLaunch
    outcome: Outcome
    reason: str
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """`status` is the status as it should be written once `launch` (if any) exists; equal to the old one: no write.

    `needs_fresh_jobs`: the answer depends on a live list of the Jobs (a create is due, or a Job is missing) and the
    Jobs given came from the watch alone; ask again with `jobs_fresh=True`. Everything else is then empty.
    """

    status: Status
    wake_at: datetime | None = None
    launch: Launch | None = None
    replaces: datetime | None = None
    """Slot of the run for which it ends what runs: its queue is asked first, and may hold it back as it does a launch."""
    deletions: tuple[JobDeletion, ...] = ()
    notices: tuple[Notice, ...] = ()
    notes: tuple[DecisionNote, ...] = ()
    """The new decision notes, for the log and the metrics (they are in `status.decisions` too)."""
    entered: tuple[ActiveLaunch, ...] = ()
    """Launches that are under way from now on."""
    ended: tuple[Ended, ...] = ()
    needs_fresh_jobs: bool = False


class CreateResult(StrEnum):
    """How a create went; fed back into `decide.after_create`."""

    CREATED = "Created"
    ADOPTED = "Adopted"
    NAME_CONFLICT = "NameConflict"
    """A Job of that name belongs to somebody else."""
    REFUSED = "Refused"
    """The API server refuses (quota, admission, permission): try again later, no attempt used."""
