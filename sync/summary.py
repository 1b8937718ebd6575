"""The RunSummary of a launch: made of its facts, cleaned, and written where the kubelet reads it.

The file in a pod exists before we start and cannot be replaced (it is a mount), so it is written in place, in one write
of at most 4 KiB. Not being able to write it never changes how the launch ends: the exit code says the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from contract import RunSpec, RunSummary, WorkspaceFailure, WorkspaceSuccess
from sync.errors import SyncError
from sync.outcomes import Ending, WorkspaceOutcome
from sync.redact import clean
from sync.tally import Counts
from sync.verdict import Verdict

_log = logging.getLogger(__name__)


def summarise(
    verdict: Verdict,
    *,
    spec: RunSpec | None = None,
    outcomes: Sequence[WorkspaceOutcome] = (),
    counts: Counts | None = None,
    duration_ms: int = 0,
) -> RunSummary:
    """Put the facts together; what is not known yet keeps its default."""
    counts = counts or Counts()
    failures = [_failure(outcome) for outcome in outcomes if outcome.ending is Ending.FAILED]
    successes = [_success(outcome) for outcome in outcomes if outcome.ending is Ending.SYNCED]
    return RunSummary(
        state=verdict.state,
        run_id=spec.run_id if spec else "",
        attempt=spec.attempt if spec else 1,
        launch=spec.launch if spec else 1,
        total_workspaces=len(spec.workspaces) if spec else 0,
        succeeded_workspaces=len(successes),
        failed_workspaces=len(failures),
        successes=successes,
        failures=failures,
        properties=counts.properties,
        cells=counts.cells,
        cells_unchanged=counts.cells_unchanged,
        cells_skipped=counts.cells_skipped,
        catch_up_days=counts.catch_up_days,
        rows_written=counts.rows_written,
        rows_unchanged=counts.rows_unchanged,
        rows_deleted=counts.rows_deleted,
        requests=counts.requests,
        refused_requests=counts.rate_refusals,
        quota_wait_ms=int(counts.quota_wait_seconds * 1000),
        tripped_circuits=sorted(counts.tripped_circuits),
        open_circuits=sorted(counts.open_circuits),
        saturated_cells=counts.saturated_cells,
        newest_final_day=_newest_final_day(outcomes),
        duration_ms=duration_ms,
        snooze_seconds=verdict.snooze_seconds,
        error_class=verdict.error_class,
        message=clean(verdict.message),
    ).fit()


def write(summary: RunSummary, path: Path | None) -> None:
    """Write in place; dying before it leaves the exit code alone to speak, which the controller understands too."""
    if path is None:
        return
    try:
        with path.open("wb", buffering=0) as file:
            file.write(summary.fit().to_json().encode())
    except OSError as error:
        _log.warning("the summary could not be written to %s: %s", path, error.strerror)


def _success(outcome: WorkspaceOutcome) -> WorkspaceSuccess:
    return WorkspaceSuccess(
        workspace=outcome.name,
        properties=len(outcome.properties),
        rows_written=sum(found.rows_written for found in outcome.properties),
    )


def _failure(outcome: WorkspaceOutcome) -> WorkspaceFailure:
    failed = [found for found in outcome.properties if found.ending is Ending.FAILED]
    error = (
        outcome.error or next((found.error for found in failed if found.error), None) or SyncError("unknown")
    )
    text = (
        str(error)
        if outcome.error is not None
        else f"{len(failed)} of {len(outcome.properties)} properties failed; {failed[0].property}: {error}"
    )
    return WorkspaceFailure(
        workspace=outcome.name,
        failure_class=error.failure_class,
        message=clean(text),
        properties_failed=len(failed),
        properties_ok=sum(found.ending is Ending.SYNCED for found in outcome.properties),
    )


def _newest_final_day(outcomes: Sequence[WorkspaceOutcome]) -> date | None:
    """The newest day that is final for every property that was synced; None when one of them has none."""
    days = [
        found.newest_final_day
        for outcome in outcomes
        for found in outcome.properties
        if found.ending is Ending.SYNCED
    ]
    known = [day for day in days if day is not None]
    return min(known) if known and len(known) == len(days) else None
