"""What one launch holds of one budget: its share, its queue, and what it has to tell at the next renewal.

Plain state without a lock: the limiter changes it under its own. How fast one may go is decided here from what is
known: a live lease gives its share; one that could not be renewed half of it for half a minute; one that was never
granted a tenth of the limit for as long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync.quota.bucket import HEADROOM, Ask, Grant
from sync.quota.learning import BURST_FACTOR, FIRST_PAUSE
from sync.quota.names import BucketName
from sync.quota.pace import Pace, burst_of
from sync.quota.rest import Refused, Rest

ADRIFT_SECONDS = 30.0
"""How long a launch goes on that cannot renew."""
ADRIFT_FRACTION = 0.5
UNLEASED_FRACTION = 0.1

FULL_WANT = 2.0
"""A newcomer wants this much of the limit: an equal share, whatever the others want."""


@dataclass(slots=True)
class Held:
    """One budget. Moments are of the launch's monotonic clock."""

    name: BucketName
    ceiling: float
    pace: Pace
    known_at: float
    """When the table last answered for this budget; at first, when it was made."""
    granted: Grant | None = None
    valid_until: float = float("-inf")
    renew_at: float = float("-inf")
    rest_until: float = float("-inf")
    rest: Rest | None = None
    asked_at: float = float("-inf")
    wants: float = 0.0
    throttled: bool = False
    """Whether this budget kept anybody waiting since it was last renewed."""
    served: int = 0
    accepted: int = 0
    accepted_of_epoch: int = 0
    refused: int = 0
    refused_of_epoch: bool = False
    to_rest: Refused | None = None
    portion: float = 1.0
    """The part of the ceiling that this launch wants and uses at most, whoever else wants some."""

    @classmethod
    def fresh(
        cls, name: BucketName, ceiling: float, now: float, portion: float = 1.0, phase: float = 0.0
    ) -> Held:
        return cls(name, ceiling, Pace(0.0, phase, now, phase=phase), known_at=now, portion=portion)

    @property
    def epoch(self) -> int:
        return self.granted.epoch if self.granted else 0

    def ask(self, holder: str, now: float, *, leave: bool = False) -> Ask:
        """The report of what was done since the last one; `told` takes it off when it was heard."""
        if not leave:
            most = FULL_WANT * self.ceiling if self.portion >= 1 else HEADROOM * self.ceiling * self.portion
            self.wants = min(most, self._wants(now))
        return Ask(
            self.name, holder, self.ceiling, 0.0 if leave else self.wants, self.accepted, self.accepted_of_epoch,
            self.refused, self.refused_of_epoch, self.epoch, self.to_rest, leave,
        )  # fmt: skip

    def _wants(self, now: float) -> float:
        """Requests a second, guessed: who had to wait does not know how much he would use, and asks for twice as much."""
        if self.granted is None:
            return FULL_WANT * self.ceiling
        used = self.served / max(now - self.known_at, 0.25)
        if not self.throttled:
            return 1.25 * used + 0.5
        more = 2 * max(used, self.granted.share) + self.waiting + 1
        return max(more, self.wants) if self.granted.short else more

    def told(self, ask: Ask, grant: Grant, asked_at: float, now: float) -> None:
        """The report was heard: what it said is done with, and the lease counts from when it was asked for."""
        self.served, self.throttled = 0, self.waiting > 0
        self.accepted -= ask.accepted
        self.refused -= ask.refused
        changed = grant.epoch != ask.epoch
        self.accepted_of_epoch = 0 if changed else self.accepted_of_epoch - ask.accepted_of_epoch
        self.refused_of_epoch = False if changed else self.refused_of_epoch and not ask.refused_of_epoch
        self.to_rest = None if self.to_rest == ask.rest else self.to_rest
        first = self.granted is None
        self.granted, self.known_at = grant, now
        self.valid_until, self.renew_at = asked_at + grant.seconds, asked_at + grant.renew_in
        rate = min(grant.share, HEADROOM * self.ceiling * self.portion)
        self.pace = self.pace.at_rate(rate, now)
        if first and grant.fresh:
            self.pace = replace(self.pace, tokens=burst_of(rate))
        if changed and not first:
            self.pace = self.pace.cut(now)
        if grant.pause > 0:
            self.pace = self.pace.pause(now + grant.pause, now)
        self.rest, self.rest_until = grant.rest, now + grant.rest_seconds

    @property
    def waiting(self) -> int:
        return len(self.pace.queue)

    def unheard(self, now: float) -> None:
        """Nobody could be told: a refusal slows this launch down all the same, at once."""
        if self.refused_of_epoch and self.granted is not None:
            self.pace = self.pace.at_rate(self.pace.rate * BURST_FACTOR, now).pause(now + FIRST_PAUSE, now)
            self.refused_of_epoch = False

    def drift(self, now: float) -> bool:
        """Without a live lease: go slower. False when that has lasted too long."""
        if now < self.valid_until:
            return True
        if self.granted is None:
            rate = UNLEASED_FRACTION * HEADROOM * self.ceiling * self.portion
        else:
            rate = ADRIFT_FRACTION * self.granted.share
        if self.pace.rate > rate or self.granted is None:
            self.pace = self.pace.at_rate(rate, now)
        return now - max(self.known_at, self.valid_until) < ADRIFT_SECONDS
