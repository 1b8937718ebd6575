"""A circuit breaker as a value: closed, open, half-open. Pure; moments are of one monotonic clock.

It opens after so many failures in a row, which must come from more than one source: a property that always fails is
that property's trouble and no outage. Open, it lets one question through from time to time (half-open), and its answer
decides. An outage is waited for only so long; then whoever asks is told at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """What a breaker does with the next question."""

    CLOSED = "closed"
    """Lets it through."""
    OPEN = "open"
    """Keeps it waiting."""
    HALF_OPEN = "half-open"
    """One is under way to find out."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Times in seconds."""

    failures: int = 8
    sources: int = 2
    first_seconds: float = 5.0
    longest_seconds: float = 60.0
    give_up_seconds: float = 180.0
    """After so long without a success nobody is kept waiting any more."""
    probe_seconds: float = 200.0
    """A question that found nothing out by then is taken for lost."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Ask, and tell how it went."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Come again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """The outage has lasted for so many seconds: waiting is of no use."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Circuit:
    """The breaker of one dependency."""

    state: State = State.CLOSED
    failures: int = 0
    """In a row."""
    sources: frozenset[str] = frozenset()
    broken_since: float = 0.0
    until: float = 0.0
    seconds: float = 0.0
    trips: int = 0
    """How often it opened from closed."""

    def enter(self, now: float, rules: Rules) -> tuple[Circuit, Pass | Wait | Refuse]:
        """Somebody wants to ask."""
        if self.state is State.CLOSED:
            return self, Pass()
        if now >= self.until:
            return replace(self, state=State.HALF_OPEN, until=now + rules.probe_seconds), Pass()
        if now - self.broken_since >= rules.give_up_seconds:
            return self, Refuse(now - self.broken_since)
        return self, Wait(self.until - now if self.state is State.OPEN else min(1.0, self.until - now))

    def succeed(self) -> Circuit:
        """An answer came, whatever it said: the dependency works."""
        return Circuit(trips=self.trips)

    def fail(self, source: str, now: float, rules: Rules) -> Circuit:
        """No answer came. Failures of questions that were under way when it opened change nothing."""
        if self.state is State.OPEN:
            return self
        if self.state is State.HALF_OPEN:
            longer = min(rules.longest_seconds, self.seconds * 2)
            return replace(self, state=State.OPEN, until=now + longer, seconds=longer)
        counted = replace(self, failures=self.failures + 1, sources=self.sources | {source})
        if counted.failures < rules.failures or len(counted.sources) < rules.sources:
            return counted
        return replace(
            counted, state=State.OPEN, broken_since=now, until=now + rules.first_seconds,
            seconds=rules.first_seconds, sources=frozenset(), trips=self.trips + 1,
        )  # fmt: skip

    def leave(self, now: float) -> Circuit:
        """A question that was let through was not asked after all; the next one may."""
        return replace(self, state=State.OPEN, until=now) if self.state is State.HALF_OPEN else self
