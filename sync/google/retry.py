"""What to do after a refusal. Pure: the verdict and what was seen before go in, a decision comes out.

Own code instead of a retry library: the pause depends on the class of the refusal and on Retry-After, is slept on an
injected clock that the launch can interrupt, and one class (401) calls for a new token instead of a pause. stamina and
tenacity decide by exception type and sleep on the machine's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from sync.errors import (
    BadAnswer,
    CredentialsError,
    DailyQuotaError,
    GoogleUnavailable,
    LoadQuotaError,
    PropertyError,
    QuotaError,
    SyncError,
)
from sync.google.classify import Kind, Verdict


@dataclass(frozen=True, slots=True)
class Again:
    """Ask once more after so many seconds."""

    after: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Asking again is of no use, or was tried often enough."""

    error: SyncError


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds of asking again. Times in seconds; counts include the first try."""

    transient_tries: int = 6
    rate_tries: int = 8
    unclear_tries: int = 3
    bad_answer_tries: int = 3
    base: float = 1.0
    rate_base: float = 2.0
    cap: float = 60.0
    retry_after_cap: float = 300.0
    load_cooldown: float = 900.0


def react(
    verdict: Verdict, seen: Mapping[Kind, int], policy: Policy, draw: Callable[[], float]
) -> Again | GiveUp:
    """Decide; `seen` counts the refusals of one question by kind, this one included; `draw` gives 0 <= x < 1."""
    kind, times = verdict.kind, seen[verdict.kind]
    match kind:
        case Kind.LOAD:
            return GiveUp(
                LoadQuotaError(verdict.message, max(policy.load_cooldown, verdict.retry_after or 0))
            )
        case Kind.DAILY:
            return GiveUp(DailyQuotaError(verdict.message, verdict.retry_after or 0))
        case Kind.ACCOUNT:
            return GiveUp(CredentialsError(verdict.message, verdict.failure_class))
        case Kind.PROPERTY | Kind.REQUEST:
            return GiveUp(PropertyError(verdict.message, verdict.failure_class))
        case Kind.OVERSIZED:
            return GiveUp(BadAnswer(verdict.message))
        case Kind.UNAUTHORIZED:
            if times == 1:
                return Again(0)
            return GiveUp(CredentialsError(f"{verdict.message}, not even a fresh one", verdict.failure_class))
        case Kind.RATE:
            if times < policy.rate_tries:
                return Again(_pause(verdict, times, policy.rate_base, policy, draw))
            return GiveUp(
                QuotaError(f"{verdict.message}, {times} times in a row", verdict.retry_after or policy.cap)
            )
        case Kind.TRANSIENT:
            if times < policy.transient_tries:
                return Again(_pause(verdict, times, policy.base, policy, draw))
            return GiveUp(GoogleUnavailable(f"{verdict.message}, {times} times in a row"))
        case Kind.UNCLEAR:
            if times < policy.unclear_tries:
                return Again(_pause(verdict, times, policy.base, policy, draw))
            return GiveUp(_as_named(verdict, times))
        case Kind.BAD_ANSWER:
            if times < policy.bad_answer_tries:
                return Again(_pause(verdict, times, policy.base, policy, draw))
            return GiveUp(_as_named(verdict, times))
    assert_never(kind)


def _pause(verdict: Verdict, times: int, base: float, policy: Policy, draw: Callable[[], float]) -> float:
    """Full jitter, never shorter than what the server asked for, within bounds."""
    jittered = draw() * min(policy.cap, base * 2.0 ** (times - 1))
    return max(jittered, min(verdict.retry_after or 0, policy.retry_after_cap))


def _as_named(verdict: Verdict, times: int) -> SyncError:
    """The error of the class that the verdict names."""
    text = f"{verdict.message}, {times} times in a row"
    for error in (PropertyError, CredentialsError, GoogleUnavailable, BadAnswer):
        if verdict.failure_class is error.failure_class:
            return error(text)
    return BadAnswer(text)
