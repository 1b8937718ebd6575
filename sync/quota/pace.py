"""The pace of one budget inside one launch: a token bucket that gives out tickets. Pure.

A ticket is a place in the queue. It is worth a request as soon as so many tokens have flowed in; since the wait is
computed anew from the rate of the moment, a share that grows or shrinks moves everybody who waits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

BURST_SECONDS = 0.5
"""Tokens that may pile up while nobody asks, in seconds of the rate: short, as Google's own burst limit is unknown."""


def burst_of(rate: float) -> float:
    return max(1.0, rate * BURST_SECONDS)


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate` in tokens a second; moments are of one monotonic clock."""

    rate: float
    produced: float
    issued: int
    at: float
    paused_until: float = float("-inf")

    def fill(self, now: float) -> Pace:
        """Let tokens flow in up to now; none flow during a pause."""
        since = max(self.at, self.paused_until)
        gained = max(0.0, now - since) * self.rate
        ceiling = max(self.produced, self.issued + burst_of(self.rate))
        return replace(self, produced=min(ceiling, self.produced + gained), at=max(self.at, now))

    def at_rate(self, rate: float, now: float) -> Pace:
        """Go on with another rate; a burst saved up under a higher one does not outlive it."""
        filled = self.fill(now)
        return replace(filled, rate=rate, produced=min(filled.produced, filled.issued + burst_of(rate)))

    def pause(self, until: float, now: float, waiting: int = 0) -> Pace:
        """Nothing before then, and after it no saved burst.

        The tickets of those who are `waiting`, perhaps for another budget, are to be earned anew: they would all go at once.
        """
        filled = self.fill(now)
        return replace(
            filled,
            produced=min(filled.produced, filled.issued - waiting),
            paused_until=max(self.paused_until, until),
        )

    def queue(self) -> Pace:
        """One more in the queue; his ticket is the new `issued`."""
        return replace(self, issued=self.issued + 1)

    def leave(self) -> Pace:
        """One goes out of the queue without having asked; the others move up."""
        return replace(self, produced=self.produced + 1)

    def wait(self, ticket: int, now: float) -> float:
        """Seconds until this ticket is worth a request, at the rate of the moment."""
        filled = self.fill(now)
        missing = ticket - filled.produced
        pause = max(0.0, filled.paused_until - now)
        if missing <= 1e-9:
            return pause
        return pause + (missing / filled.rate if filled.rate > 0 else float("inf"))
