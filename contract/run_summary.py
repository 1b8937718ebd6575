"""RunSummary: what one launch did, from the sync to the controller.

JSON of at most 4 KiB (the kubelet cuts termination messages there) in the file named by `GSC_SYNC_SUMMARY_PATH`
(in a pod /dev/termination-log). `fit` shortens lists and messages, never counts. The text comes out of a pod, so the
controller treats it as hostile: it parses strictly and falls back to the exit code.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints

from contract.document import Document

PATH_VARIABLE = "GSC_SYNC_SUMMARY_PATH"
MAX_BYTES = 4096

Count = Annotated[int, Field(ge=0, le=2**53)]
Message = Annotated[str, StringConstraints(max_length=512)]
ShortName = Annotated[str, StringConstraints(max_length=63)]


class Dependency(StrEnum):
    """What a launch depends on and has a circuit breaker for."""

    GOOGLE_API = "google-api"
    TOKEN_ENDPOINT = "token-endpoint"  # noqa: S105 - a name
    POSTGRES = "postgres"


class State(StrEnum):
    """How the launch ended, in words."""

    SUCCEEDED = "Succeeded"
    PARTIALLY_SUCCEEDED = "PartiallySucceeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SNOOZED = "Snoozed"
    CONTINUES = "Continues"


class FailureClass(StrEnum):
    """Why a workspace, a property or a launch failed; a closed list, fit for metric labels."""

    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIALS_INVALID = "CredentialsInvalid"
    CREDENTIALS_REVOKED = "CredentialsRevoked"
    PERMISSION_DENIED = "PermissionDenied"
    API_DISABLED = "ApiDisabled"
    PROPERTY_GONE = "PropertyGone"
    BAD_REQUEST = "BadRequest"
    RATE_LIMITED = "RateLimited"
    LOAD_QUOTA = "LoadQuota"
    DAILY_QUOTA = "DailyQuota"
    GOOGLE_UNAVAILABLE = "GoogleUnavailable"
    BAD_ANSWER = "BadAnswer"
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    DATABASE_REFUSED = "DatabaseRefused"
    SUPERSEDED = "Superseded"
    INTERRUPTED = "Interrupted"
    CONFIGURATION = "Configuration"
    UNEXPECTED = "Unexpected"


class WorkspaceSuccess(Document):
    """A workspace whose every property was synced."""

    workspace: ShortName
    properties: Count = 0
    rows_written: Count = 0


class WorkspaceFailure(Document):
    """A workspace of which at least one property, or the credential itself, failed."""

    workspace: ShortName
    failure_class: FailureClass
    message: Message
    """What happened and the next step, without anything secret."""
    properties_failed: Count = 0
    properties_ok: Count = 0


class RunSummary(Document):
    """The result of one launch. Rows are counted over all cells; durations are in milliseconds."""

    max_bytes: ClassVar[int] = MAX_BYTES

    version: Literal[1] = 1
    state: State
    run_id: ShortName = ""
    attempt: Count = 1
    launch: Count = 1
    total_workspaces: Count = 0
    succeeded_workspaces: Count = 0
    failed_workspaces: Count = 0
    successes: list[WorkspaceSuccess] = []
    failures: list[WorkspaceFailure] = []
    properties: Count = 0
    cells: Count = 0
    cells_unchanged: Count = 0
    cells_skipped: Count = 0
    """Cells that a probe showed to be as in Postgres, so that they were not fetched."""
    rows_written: Count = 0
    """Inserted or updated."""
    rows_unchanged: Count = 0
    rows_deleted: Count = 0
    catch_up_days: Count = 0
    """Days by which the window reached further back than usual, for the property with the longest gap."""
    requests: Count = 0
    refused_requests: Count = 0
    """Requests that Google refused for rate, load or the day; they are among `requests`."""
    quota_wait_ms: Count = 0
    """How long threads waited, all together, until they might ask."""
    tripped_circuits: Annotated[list[Dependency], Field(max_length=3)] = []
    """What failed everybody at some time, so that its breaker opened."""
    open_circuits: Annotated[list[Dependency], Field(max_length=3)] = []
    """Breakers that were not closed when the launch ended."""
    saturated_cells: Count = 0
    """Cells that reached Google's cap of 50,000 rows: the tail beyond it is not to be had."""
    newest_final_day: date | None = None
    """Newest Pacific day of which every synced property has final data."""
    duration_ms: Count = 0
    snooze_seconds: Count = 0
    error_class: FailureClass | None = None
    """Of the launch as a whole, when it failed, snoozed or was cancelled."""
    message: Message = ""
    from_earlier_launch: bool = False
    """The run was already complete in Postgres; this is the summary stored then."""

    def fit(self) -> Self:
        """The same summary, small enough for a termination message; counts are never touched."""
        summary = self
        for length, items in ((512, 100), (256, 20), (160, 8), (80, 4), (40, 0)):
            summary = self.model_copy(
                update={
                    "message": self.message[:length],
                    "successes": self.successes[:items],
                    "failures": [
                        failure.model_copy(
                            update={"message": failure.message[:length], "workspace": failure.workspace[:63]}
                        )
                        for failure in self.failures[: max(items, 1)]
                    ],
                },
            )
            if len(summary.model_dump_json(by_alias=True, exclude_none=True).encode()) <= MAX_BYTES:
                break
        return summary
