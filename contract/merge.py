"""The summaries of the shards of one launch as one summary. Pure; both programs may ask.

Counts add up, durations and pauses are the longest, a workspace is well when it is in every shard, and the newest final
day is the oldest of theirs. Lists of a summary may have been cut to fit, so counts of workspaces never fall below what
a single shard says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import chain
from typing import TypeVar

from contract.run_summary import RunSummary, State, WorkspaceFailure, WorkspaceSuccess

Entry = TypeVar("Entry", WorkspaceFailure, WorkspaceSuccess)

_LONGEST = frozenset(
    {"version", "attempt", "launch", "total_workspaces", "failed_workspaces", "duration_ms", "snooze_seconds"}
)
"""Numbers of which the greatest counts; all others are added."""
_SEVERITY = (
    State.SUCCEEDED,
    State.PARTIALLY_SUCCEEDED,
    State.CONTINUES,
    State.SNOOZED,
    State.FAILED,
    State.CANCELLED,
)


def merge(summaries: Sequence[RunSummary]) -> RunSummary | None:
    """One summary out of those of the shards, in the order of the shards; None when there is none."""
    if len(summaries) < 2:
        return summaries[0] if summaries else None
    worst = max(summaries, key=lambda summary: _SEVERITY.index(summary.state))
    numbers = {
        name: (max if name in _LONGEST else sum)(getattr(summary, name) for summary in summaries)
        for name in RunSummary.model_fields
        if type(getattr(worst, name)) is int
    }
    failures = _added(
        chain.from_iterable(each.failures for each in summaries), "properties_failed", "properties_ok"
    )
    successes = _added(
        chain.from_iterable(each.successes for each in summaries), "properties", "rows_written"
    )
    not_well = {failure.workspace for failure in failures}
    failed = max(numbers["failed_workspaces"], len(failures))
    total = max(numbers["total_workspaces"], failed)
    return worst.model_copy(
        update=numbers
        | {
            "failures": failures,
            "successes": [success for success in successes if success.workspace not in not_well],
            "failed_workspaces": failed,
            "total_workspaces": total,
            "succeeded_workspaces": max(0, total - failed)
            if worst.state in (State.SUCCEEDED, State.PARTIALLY_SUCCEEDED)
            else min(summary.succeeded_workspaces for summary in summaries),
            "tripped_circuits": sorted({each for summary in summaries for each in summary.tripped_circuits}),
            "open_circuits": sorted({each for summary in summaries for each in summary.open_circuits}),
            "newest_final_day": _newest_final_day(summaries),
            "from_earlier_launch": all(summary.from_earlier_launch for summary in summaries),
        }
    )


def _added(entries: Iterable[Entry], *counts: str) -> list[Entry]:
    """One entry a workspace: the first shard's words, everybody's counts."""
    found: dict[str, Entry] = {}
    for entry in entries:
        first = found.get(entry.workspace)
        if first is not None:
            sums = {name: getattr(first, name) + getattr(entry, name) for name in counts}
            entry = first.model_copy(update=sums)  # noqa: PLW2901 - the sum stands for both
        found[entry.workspace] = entry
    return list(found.values())


def _newest_final_day(summaries: Sequence[RunSummary]) -> date | None:
    """The oldest of those who had a property to do; None when one of them has no final day."""
    days = [summary.newest_final_day for summary in summaries if summary.properties]
    known = [day for day in days if day is not None]
    return min(known) if known and len(known) == len(days) else None
