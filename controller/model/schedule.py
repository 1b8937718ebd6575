"""Schedule: a `GscSyncSchedule` as the operator needs it, parsed once and frozen.

`watch` puts these into the table instead of the bodies they came from; `decide` reads them; nobody changes them.
Times are aware datetimes in UTC, durations whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contract.run_spec import DataState, DimensionSet, SearchType


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
class WorkspaceSpec:
    name: str
    credentials: SecretKey | OAuthSecret
    subject: str | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`max_attempts` counts launches that ended in failure; snoozed, lost and continued ones give theirs back."""

    max_attempts: int = 3
    max_snoozes: int = 50


@dataclass(frozen=True, slots=True)
class Spec:
    schedule: str
    time_zone: str
    suspend: bool
    run_on_create: bool
    catch_up_max_age_seconds: int
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


@dataclass(frozen=True, slots=True)
class Asks:
    """What users ask for by annotation, raw and bounded to 1 KiB each; '' means absent."""

    run_now: str = ""


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
