"""RunSpec: the work order of one launch, from the controller to the sync.

JSON of at most 64 KiB in the environment variable `GSC_SYNC_RUN_SPEC`, or a file given by `--spec`. Strict: an
unknown key or a wrong type is refused with the path of the field, so that a typo never silently changes a run.
Credentials never stand in it, only the paths below which they are mounted. Documented in docs/contract.md.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contract.dimension_sets import DimensionSet, Inventory, SearchType, nothing_left
from contract.document import Document

ENVIRONMENT_VARIABLE = "GSC_SYNC_RUN_SPEC"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in each pod of an Indexed Job: 0 for the first."""
MAX_SHARDS = 32
MAX_BYTES = 64 * 1024
MAX_RANGE_DAYS = 500
"""Google keeps 16 months."""

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
Path = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(9000, 1, 1))]
SchemaName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,47}$")]


class Trigger(StrEnum):
    """Why a run exists."""

    CRON = "Cron"
    """A slot of the schedule came due."""
    MANUAL = "Manual"
    """Somebody set the run-now annotation, or ran the program by hand."""
    CREATE = "Create"
    """`runOnCreate`: the schedule was seen for the first time."""


class DataState(StrEnum):
    """Which days count: ALL includes fresh data that may still change, FINAL only settled days."""

    ALL = "All"
    FINAL = "Final"


class Window(Document):
    """The rolling window: `days` Pacific calendar days, the newest being the Pacific day of the slot.

    With `first_day` it is a backfill instead: those days and no others, at most 16 months of them.
    """

    days: Annotated[int, Field(ge=1, le=480)] = 14
    data_state: DataState = DataState.ALL
    max_catch_up_days: Annotated[int, Field(ge=1, le=480)] = 60
    """How far back from the slot's day the window may reach for days that are not final in the ledger."""
    first_day: Day | None = None
    last_day: Day | None = None
    """The slot's day, when only `first_day` is given."""

    @model_validator(mode="after")
    def _range_is_one(self) -> Self:
        if self.first_day is None:
            if self.last_day is not None:
                raise ValueError("lastDay needs a firstDay")
        elif self.last_day is not None and not 0 <= (self.last_day - self.first_day).days < MAX_RANGE_DAYS:
            raise ValueError(f"firstDay to lastDay must be 1 to {MAX_RANGE_DAYS} days")
        return self

    @property
    def is_backfill(self) -> bool:
        return self.first_day is not None


class PropertyFilter(Document):
    """Which of the properties an identity sees are synced. Shell-style patterns (`*`, `?`), exclude wins."""

    include: Annotated[list[Pattern], Field(max_length=100)] = ["*"]
    exclude: Annotated[list[Pattern], Field(max_length=100)] = []


class Workspace(Document):
    """One Google identity and the properties to sync with it; it succeeds or fails alone."""

    name: Name
    credentials_path: Path | None = None
    """File with a service-account key, an OAuth refresh token (`authorized_user` JSON) or an external account, or a
    directory with the files client_id, client_secret and refresh_token."""
    credentials: Literal["Ambient"] | None = None
    """In place of a path: the identity that the pod has on Google Cloud. Never a fall-back for a file that is missing."""
    credentials_hint: Annotated[str, StringConstraints(max_length=512)] = ""
    """What to tell a person when the file is missing, such as "Secret 'acme-google' key 'credentials.json'"."""
    subject: Annotated[str, StringConstraints(max_length=320)] | None = None
    """User to act for (domain-wide delegation of a service account)."""
    properties: PropertyFilter = PropertyFilter()

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.credentials_path is None) == (self.credentials is None):
            raise ValueError("give either credentialsPath or credentials: Ambient")
        if self.credentials is not None and self.subject is not None:
            raise ValueError("an ambient identity cannot act for a subject; remove the subject")
        return self


class Destination(Document):
    """The Postgres database: a directory with one file per key of the Secret.

    Keys: `uri`, or `host`, `port`, `dbname`, `user`, `password`, `sslmode`; `ca.crt` beside either.
    """

    path: Path
    hint: Annotated[str, StringConstraints(max_length=512)] = ""
    schema_name: SchemaName = "gsc"
    retention_months: Annotated[int, Field(ge=0, le=480)] = 0
    """Whole months before the present one whose rows are kept; older months are given up. 0 keeps everything."""


class Limits(Document):
    """Bounds of one launch. Times in seconds, rates in requests per second."""

    min_success_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Below this share of successful workspaces the launch fails; 0 of N fails in any case."""
    concurrency: Annotated[int, Field(ge=1, le=100)] = 10
    """Properties worked on side by side."""
    cells_per_property: Annotated[int, Field(ge=1, le=50)] = 15
    """Cells of one property in flight; what 5 requests per second need when each answer takes 3 seconds."""
    backfill_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of every rate that a backfill uses, so that the daily window goes on beside it."""
    requests_per_second_per_property: Annotated[float, Field(gt=0, le=100)] = 5.0
    """The three rates hold for all launches together that share a database; refusals lower them for a time."""
    requests_per_second_per_identity: Annotated[float, Field(gt=0, le=1000)] = 20.0
    """Google allows a user 1,200 a minute."""
    requests_per_minute_per_project: Annotated[float, Field(gt=0, le=1_000_000)] = 40_000.0
    """Of the Cloud project behind a credential; new ones often have 60."""
    load_cooldown_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    """How long a property rests after a load-quota refusal; Google says 15 minutes."""
    split_requests_per_cell: Annotated[int, Field(ge=0, le=1000)] = 0
    """Requests that may be spent on reading a cell at Google's cap of 50,000 rows in parts; 0 leaves it cut."""
    inspections_per_property: Annotated[int, Field(ge=0, le=2000)] = 0
    """Pages of each property that are inspected in Google's index on one Pacific day; Google allows 2,000."""
    grace_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Between SIGTERM and SIGKILL."""


class RunSpec(Document):
    """One launch of one attempt of one run. Times are aware datetimes, written as RFC 3339 in UTC."""

    max_bytes: ClassVar[int] = MAX_BYTES

    version: Literal[1] = 1
    schedule_uid: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    namespace: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    run_id: Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9-]+$")]
    """The slot in unix minutes, or `m-` and a hash of the token of a manual run."""
    slot: AwareDatetime
    attempt: Annotated[int, Field(ge=1, le=20)] = 1
    launch: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Grows with every Job of a run; the fence in `gsc.run` compares it."""
    trigger: Trigger = Trigger.MANUAL
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """Of the program, from its start. The soft deadline lies at 95 % of it."""
    shards: Annotated[int, Field(ge=1, le=MAX_SHARDS)] = 1
    """Pods that share the launch; the index of each comes from `JOB_COMPLETION_INDEX`, and each does the properties that a
    hash gives it."""
    window: Window = Window()
    dry_run: bool = False
    """Ask Google what there is, say what a sync would do, and write nothing."""
    search_types: Annotated[list[SearchType], Field(min_length=1, max_length=6)] = ["web"]
    dimension_sets: Annotated[list[DimensionSet], Field(min_length=1, max_length=8)] = ["page-query"]
    """How rows are broken down; each set has a table of its own, since sums of one are not those of another."""
    inventory: Annotated[list[Inventory], Field(max_length=2)] = []
    """What to keep beside facts: properties with their permissions, sitemaps."""
    workspaces: Annotated[list[Workspace], Field(min_length=1, max_length=100)]
    destination: Destination
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _workspaces_are_distinct(self) -> Self:
        names = [workspace.name for workspace in self.workspaces]
        if len(set(names)) != len(names):
            raise ValueError("workspaces must have distinct names")
        return self

    @model_validator(mode="after")
    def _something_is_left_to_sync(self) -> Self:
        for field, chosen in (("searchTypes", self.search_types), ("dimensionSets", self.dimension_sets)):
            if len(set(chosen)) != len(chosen):
                raise ValueError(f"{field} must be distinct")
        problem = nothing_left(self.search_types, self.dimension_sets)
        if problem:
            raise ValueError(f"searchTypes and dimensionSets: {problem}")
        return self

    @property
    def soft_deadline_seconds(self) -> float:
        """Seconds after the start at which no new cell is taken."""
        return self.timeout_seconds * 0.95

    def slot_minutes(self) -> int:
        return unix_minutes(self.slot)


def unix_minutes(moment: datetime) -> int:
    """The slot as it stands in names and labels: whole minutes since 1970-01-01T00:00Z."""
    return int(moment.timestamp()) // 60
