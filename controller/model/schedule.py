"""Schedule: a `GscSyncSchedule` as the operator needs it, parsed once and frozen.

`watch` puts these into the table instead of the bodies they came from; `decide` reads them; nobody changes them.
Times are aware datetimes in UTC, durations whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contract.dimension_sets import DimensionSet, Inventory, SearchType
from contract.run_spec import DataState


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key of a Secret in the schedule's own namespace."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class OAuthSecret:
    """A Secret with the keys client_id, client_secret and refresh_token."""

    name: str


@dataclass(frozen=True, slots=True)
class Ambient:
    """No Secret: the identity that the pod has on Google Cloud, where the installation allows that."""


@dataclass(frozen=True, slots=True)
class WorkspaceSpec:
    name: str
    credentials: SecretKey | OAuthSecret | Ambient
    subject: str | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]


class ConcurrencyPolicy(StrEnum):
    """What happens when a slot comes due while a launch runs."""

    FORBID = "Forbid"
    """It waits."""
    REPLACE = "Replace"
    """It takes the other's place."""
    ALLOW = "Allow"
    """It runs beside it."""


class CatchUpPolicy(StrEnum):
    """What becomes of slots that passed while nothing could run."""

    LATEST = "Latest"
    """The newest runs and stands for all."""
    ALL = "All"
    """Each runs, oldest first."""
    NONE = "None"
    """None runs."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    policy: CatchUpPolicy = CatchUpPolicy.LATEST
    max_runs: int = 10
    """Of `All`: older ones go with the oldest that runs."""
    max_age_seconds: int = 604_800
    """Older slots are missed, whatever the policy."""


class BackoffType(StrEnum):
    """How the wait grows from attempt to attempt."""

    OBAN = "Oban"
    EXPONENTIAL = "Exponential"
    FIXED = "Fixed"


@dataclass(frozen=True, slots=True)
class Backoff:
    type: BackoffType = BackoffType.OBAN
    base_seconds: int = 30
    max_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`max_attempts` counts launches that ended in failure; snoozed, lost and continued ones give theirs back."""

    max_attempts: int = 3
    max_snoozes: int = 50
    backoff: Backoff = Backoff()


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How many finished Jobs are kept, and how long."""

    successful: int = 3
    failed: int = 5
    max_age_seconds: int = 86_400


@dataclass(frozen=True, slots=True)
class Rollout:
    """Which workspaces run, and which slots; percentages are whole, 0 to 100."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    percent_of_workspaces: int = 100
    percent_of_time: int = 100


@dataclass(frozen=True, slots=True)
class Spec:
    schedule: str
    time_zone: str
    suspend: bool
    run_on_create: bool
    concurrency: ConcurrencyPolicy
    catch_up: CatchUp
    timeout_seconds: int
    pending_deadline_seconds: int
    retry: RetryPolicy
    min_success_ratio: float
    window_days: int
    data_state: DataState
    search_types: tuple[SearchType, ...]
    dimension_sets: tuple[DimensionSet, ...]
    workspaces: tuple[WorkspaceSpec, ...]
    destination_secret: str
    destination_schema: str
    freshness_seconds: int
    resources: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """(("requests", (("cpu", "100m"), ...)), ("limits", ...)); empty means the operator's defaults."""
    history: HistoryLimits = HistoryLimits()
    queue: str = "gsc-sync"
    priority: int = 1
    retention_months: int = 0
    environments: tuple[str, ...] = ()
    rollout: Rollout = Rollout()
    shards: int = 1
    max_catch_up_days: int = 60
    split_requests_per_cell: int = 0
    inspections_per_property: int = 0
    inventory: tuple[Inventory, ...] = ()


@dataclass(frozen=True, slots=True)
class Asks:
    """What users ask for by annotation, raw and bounded to 1 KiB each; '' means absent."""

    run_now: str = ""
    cancel: str = ""
    retry: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One object. `spec` is None when it cannot be served; `problem` then says why and what is allowed."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created_at: datetime
    deleting: bool
    spec: Spec | None
    problem: str
    asks: Asks

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)
