"""How a launch ended, decided from its facts. Pure: outcomes in, state and exit code out.

The rules stand in docs/contract.md under "How a launch ends"; each branch here is one row of that table, in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contract import ExitCode, FailureClass, Limits, State
from sync.errors import (
    ConfigurationError,
    DailyQuotaError,
    DatabaseIncompatible,
    LoadQuotaError,
    QuotaError,
    SyncError,
)
from sync.outcomes import Ending, WorkspaceOutcome
from sync.plan.windows import next_pacific_midnight
from sync.stop import StopReason

MIN_SNOOZE_SECONDS = 30
SWITCH_SNOOZE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a launch."""

    state: State
    exit_code: ExitCode
    message: str = ""
    error_class: FailureClass | None = None
    snooze_seconds: int = 0

    @property
    def completes_the_run(self) -> bool:
        """Whether a later launch of this run would have nothing to do."""
        return self.exit_code is ExitCode.SUCCESS


def of_error(error: Exception, committed: int) -> Verdict:
    """A launch that an error ended as a whole."""
    if isinstance(error, ConfigurationError | DatabaseIncompatible):
        return Verdict(State.CANCELLED, ExitCode.CANCELLED, str(error), error.failure_class)
    if isinstance(error, SyncError):
        kept = f" {committed} cells committed before that are kept." if committed else ""
        return Verdict(State.FAILED, ExitCode.FAILURE, f"{error}{kept}", error.failure_class)
    text = f"Unexpected {type(error).__name__}; the log has the traceback."
    return Verdict(State.FAILED, ExitCode.FAILURE, text, FailureClass.UNEXPECTED)


def of_outcomes(
    outcomes: Sequence[WorkspaceOutcome],
    *,
    stopped: StopReason | None,
    committed: int,
    limits: Limits,
    now: datetime,
) -> Verdict:
    """A launch that came to its end, by itself or because it was stopped."""
    endings = [outcome.ending for outcome in outcomes]
    unfinished = [outcome for outcome in outcomes if _has(outcome, Ending.UNFINISHED)]
    postponed = [error for outcome in outcomes for error in _quota_errors(outcome)]
    if unfinished and stopped is StopReason.SIGNAL:
        text = f"Told to stop: {committed} cells were committed, the rest is for the next launch."
        return Verdict(State.FAILED, ExitCode.FAILURE, text, FailureClass.INTERRUPTED)
    if unfinished and stopped is StopReason.SWITCH:
        return switched_off(committed)
    if unfinished and committed:
        text = f"The soft deadline came with work left: {committed} cells were committed, the next launch goes on."
        return Verdict(State.CONTINUES, ExitCode.SNOOZED, text)
    if unfinished:
        text = "The soft deadline came before a single cell was committed; raise timeoutSeconds or lower the window."
        return Verdict(State.FAILED, ExitCode.FAILURE, text, FailureClass.INTERRUPTED)
    waited_for = [error for error in postponed if not _for_the_next_run(error)]
    if waited_for and not _all_else_failed(outcomes):
        return _snooze(waited_for, now)
    if postponed and not waited_for and not _any_synced(outcomes) and not _all_else_failed(outcomes):
        return _snooze(postponed, now)
    succeeded, total = endings.count(Ending.SYNCED), len(endings)
    failed = [outcome for outcome in outcomes if outcome.ending is Ending.FAILED]
    if not failed and postponed:
        text = (
            f"{len(postponed)} properties were left to the next run, their load quota of the day is spent;"
            f" everything else is synced. First: {postponed[0]}"
        )
        return Verdict(State.PARTIALLY_SUCCEEDED, ExitCode.SUCCESS, text)
    if not failed:
        return Verdict(State.SUCCEEDED, ExitCode.SUCCESS)
    resting = f", {total - len(failed) - succeeded} rest" if total > len(failed) + succeeded else ""
    text = f"{len(failed)} of {total} workspaces failed{resting}: {_first_reason(failed)}"
    error_class = (_first_error(failed[0]) or SyncError("")).failure_class
    if succeeded == 0:
        return Verdict(State.FAILED, ExitCode.FAILURE, text, error_class)
    if succeeded / total < limits.min_success_ratio:
        text = f"{succeeded} of {total} workspaces succeeded, fewer than minSuccessRatio asks; {_first_reason(failed)}"
        return Verdict(State.FAILED, ExitCode.FAILURE, text, error_class)
    return Verdict(State.PARTIALLY_SUCCEEDED, ExitCode.SUCCESS, text)


def switched_off(committed: int) -> Verdict:
    """Ended by the kill switch of the namespace; looked at again after a while."""
    text = (
        f"The kill switch of this namespace (ConfigMap gsc-sync-switch) says stop; {committed} cells were committed. "
        f"Looked at again in {SWITCH_SNOOZE_SECONDS} s."
    )
    return Verdict(State.SNOOZED, ExitCode.SNOOZED, text, None, SWITCH_SNOOZE_SECONDS)


def _snooze(postponed: Sequence[QuotaError], now: datetime) -> Verdict:
    """The earliest moment at which one of the postponed can go on; what still rests is snoozed once more."""
    midnight = (next_pacific_midnight(now) - now).total_seconds()
    waits = [midnight if isinstance(error, DailyQuotaError) else error.retry_after for error in postponed]
    seconds = max(
        MIN_SNOOZE_SECONDS if not any(isinstance(e, LoadQuotaError) for e in postponed) else 1,
        int(min(waits)) + 1,
    )
    first = postponed[waits.index(min(waits))]
    text = f"Google's quota is spent for {len(postponed)} properties or workspaces; on again in {seconds} s. First: {first}"
    return Verdict(State.SNOOZED, ExitCode.SNOOZED, text, first.failure_class, seconds)


def _for_the_next_run(error: QuotaError) -> bool:
    """A property whose load of the day is spent: no snooze, or it would hold up all others until midnight."""
    return isinstance(error, LoadQuotaError) and error.spent


def _any_synced(outcomes: Sequence[WorkspaceOutcome]) -> bool:
    return any(found.ending is Ending.SYNCED for outcome in outcomes for found in outcome.properties)


def _all_else_failed(outcomes: Sequence[WorkspaceOutcome]) -> bool:
    """Whether beside the postponed there is something, and nothing of it went well."""
    others = [
        ending
        for outcome in outcomes
        for ending in (
            *(found.ending for found in outcome.properties),
            *((outcome.ending,) if not outcome.properties else ()),
        )
        if ending is not Ending.POSTPONED
    ]
    return bool(others) and Ending.SYNCED not in others


def _has(outcome: WorkspaceOutcome, ending: Ending) -> bool:
    return outcome.ending is ending or any(found.ending is ending for found in outcome.properties)


def _quota_errors(outcome: WorkspaceOutcome) -> list[QuotaError]:
    errors = (
        outcome.error,
        *(found.error for found in outcome.properties if found.ending is Ending.POSTPONED),
    )
    return [error for error in errors if isinstance(error, QuotaError)]


def _first_error(outcome: WorkspaceOutcome) -> SyncError | None:
    return outcome.error or next(
        (found.error for found in outcome.properties if found.ending is Ending.FAILED), None
    )


def _first_reason(failed: Sequence[WorkspaceOutcome]) -> str:
    return f"{failed[0].name}: {_first_error(failed[0])}"
