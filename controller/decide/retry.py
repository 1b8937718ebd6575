"""Retry: what follows a verdict. Oban's rules: an attempt is used only by what the program itself got wrong.

A failure waits 15 + 2^n seconds (or as `retry.backoff` says), n being the failed attempt, plus up to a tenth. The jitter
is a hash of the run, so a restart of the operator moves nothing. Snoozes, continuations and losses give the attempt back, and each has a bound of
its own, because whatever is free can go on for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.decide.verdict import COMPLETE_UNSEEN, Verdict
from controller.model.names import digest
from controller.model.schedule import Backoff, BackoffType, RetryPolicy
from controller.model.status import CurrentRun, Outcome, RunState

MAX_LOST = 5
MAX_UNKNOWN = 1
MAX_CONTINUES = 1000
_MAX_EXPONENT = 20


@dataclass(frozen=True, slots=True)
class Close:
    """The run is over."""

    outcome: Outcome
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The run is launched again, not before that time."""

    not_before: datetime
    attempt: int
    state: RunState


@dataclass(frozen=True, slots=True)
class Relaunch:
    """The run is launched again at once, with the same attempt."""


def delay_seconds(uid: str, run_id: str, attempt: int, backoff: Backoff) -> int:
    """How long to wait after that attempt failed; with Oban's rule 17-18, 19-20, 23-25, 31-34 ... seconds."""
    exponent = min(max(attempt, 1), _MAX_EXPONENT)
    match backoff.type:
        case BackoffType.FIXED:
            return backoff.base_seconds
        case BackoffType.OBAN:
            base: int = 15 + 2**exponent
        case BackoffType.EXPONENTIAL:
            base = min(backoff.base_seconds * 2 ** (exponent - 1), backoff.max_seconds)
    return base + int(digest(uid, run_id, str(attempt)), 16) % (base // 10 + 1)


def after(uid: str, run: CurrentRun, verdict: Verdict, policy: RetryPolicy) -> Close | Wait | Relaunch:
    """What follows; `run` stands as it was before the verdict."""
    match verdict.outcome:
        case Outcome.SUCCEEDED | Outcome.PARTIALLY_SUCCEEDED | Outcome.CANCELLED | Outcome.SUPERSEDED:
            return Close(verdict.outcome, verdict.reason, verdict.message)
        case Outcome.SNOOZED:
            if run.snoozes >= policy.max_snoozes:
                why = f"snoozed {run.snoozes} times already (`retry.maxSnoozes`): {verdict.message}"
                return Close(Outcome.FAILED, "SnoozedTooOften", why)
            wake = verdict.finished_at + timedelta(seconds=verdict.snooze_seconds)
            return Wait(wake, run.attempt, RunState.SNOOZED)
        case Outcome.CONTINUES:
            if run.continues >= MAX_CONTINUES:
                return Close(
                    Outcome.FAILED, "ContinuedTooOften", f"continued {MAX_CONTINUES} times without an end"
                )
            return Relaunch()
        case Outcome.LOST if run.lost < MAX_LOST:
            return Relaunch()
        case Outcome.RESULT_UNKNOWN if run.unknown < MAX_UNKNOWN:
            return Relaunch()
        case Outcome.RESULT_UNKNOWN if verdict.reason == COMPLETE_UNSEEN:
            return Close(Outcome.SUCCEEDED, verdict.reason, "exit code 0 twice; what it did was not seen")
    if run.attempt >= policy.max_attempts + run.granted:
        return Close(Outcome.FAILED, verdict.reason, verdict.message)
    wake = verdict.finished_at + timedelta(
        seconds=delay_seconds(uid, run.run_id, run.attempt, policy.backoff)
    )
    return Wait(wake, run.attempt + 1, RunState.RETRYING)
