"""The pace of one budget inside one launch: a token bucket with a queue. Pure.

A place in the queue is worth a request as soon as tokens are there for it and for all places before it. The wait is
computed anew from the rate of the moment and from who still queues, so a share that grows or shrinks moves everybody who
waits, and who leaves moves those behind him only.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

BURST_SECONDS = 0.5
"""Tokens that may pile up while nobody asks, in seconds of the rate: short, as Google's own burst limit is unknown."""


def burst_of(rate: float) -> float:
    return max(1.0, rate * BURST_SECONDS)


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate` in tokens a second; moments are of one monotonic clock."""

    rate: float
    tokens: float
    at: float
    queue: tuple[int, ...] = ()
    """The tickets of those who wait, first come first."""
    issued: int = 0
    paused_until: float = float("-inf")
    phase: float = 0.0
    """Of a token, left by a cut: Jobs that begin together do not ask together."""

    def fill(self, now: float) -> Pace:
        """Let tokens flow in up to now; none flow during a pause."""
        since = max(self.at, self.paused_until)
        gained = max(0.0, now - since) * self.rate
        tokens = min(max(self.tokens, self._most(self.rate)), self.tokens + gained)
        return replace(self, tokens=tokens, at=max(self.at, now))

    def at_rate(self, rate: float, now: float) -> Pace:
        """Go on with another rate; a burst saved up under a higher one does not outlive it."""
        filled = self.fill(now)
        return replace(filled, rate=rate, tokens=min(filled.tokens, self._most(rate)))

    def pause(self, until: float, now: float) -> Pace:
        """Nothing before then, and after it no saved burst."""
        return replace(self.cut(now), paused_until=max(self.paused_until, until))

    def cut(self, now: float) -> Pace:
        """Take whole tokens away, also from those who wait for another budget: they would all go at once.

        What the first in the queue has earned of his is his: at slow rates it is worth seconds.
        """
        filled = self.fill(now)
        return replace(filled, tokens=filled.tokens if filled.tokens < 1.0 else self.phase)

    def join(self) -> Pace:
        """One more in the queue; his ticket is the new `issued`."""
        ticket = self.issued + 1
        return replace(self, issued=ticket, queue=(*self.queue, ticket))

    def leave(self, ticket: int) -> Pace:
        """One goes out of the queue without having asked; those behind him move up."""
        return replace(self, queue=tuple(each for each in self.queue if each != ticket))

    def serve(self, ticket: int, now: float) -> Pace:
        """One asks."""
        filled = self.fill(now).leave(ticket)
        return replace(filled, tokens=filled.tokens - 1)

    def wait(self, ticket: int, now: float) -> float:
        """Seconds until this ticket is worth a request, at the rate of the moment."""
        filled = self.fill(now)
        missing = bisect_left(self.queue, ticket) + 1 - filled.tokens
        pause = max(0.0, filled.paused_until - now)
        if missing <= 1e-9:
            return pause
        return pause + (missing / filled.rate if filled.rate > 0 else float("inf"))

    def _most(self, rate: float) -> float:
        return len(self.queue) + burst_of(rate)
