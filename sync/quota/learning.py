"""What a budget learns from refusals, and how it forgets. Pure.

Down at once: the first refusal is taken for the burst limit and costs 30 % of what was used. Then one Job alone asks one
question. Refused as well, it is the quota of the minute: what was accepted within the last minute is the limit, and a
twentieth is left free. A rate that held for a whole minute is measured already. Up: a fiftieth of the limit a minute, as
long as there is a use for more. By two fifths a minute where it was a guess, or once more was accepted within a minute
than the limit that was known. Between launches no further than to that limit. A refusal counts only against the rate under which its question was sent (`epoch`):
those still under way say nothing new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SLOWEST = 0.1
"""Requests a second below which learning stops; Google's lowest known limit is one a second."""

BURST_FACTOR = 0.7
RISEN_FACTOR = 0.9
HELD_SECONDS = 20.0
"""A rate that held for so long was right when it was learnt."""

MINUTE_FACTOR = 0.95
GUESSED_RAISE = 0.4
"""Of the rate, a minute: what a single refusal left may be far too low; the next one finds a whole minute counted."""
MEASURED_RAISE = 0.02
"""Of the limit, a minute: it is met again, at the cost of a question or two, some three minutes later."""
RISEN_RAISE = 0.4
"""Of the rate, a minute, while more is accepted than the limit that was known."""
RISEN = 1.05
"""More than that much of a limit within a minute, and it is the limit no more; what is counted is a little uncertain."""
LEAST_RAISE_PER_MINUTE = 0.005
IDLE_MINUTES = 1.0
"""Who did not use a budget for longer has not tried it: it rises to what was refused, and no further."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
MINUTE = 60.0
SLOT = 5.0


@dataclass(frozen=True, slots=True)
class Minute:
    """Questions that Google accepted within the last minute, in slots of five seconds, oldest first."""

    slots: tuple[tuple[int, int], ...] = ()
    """(moment divided by five, count)"""

    def add(self, accepted: int, now: float) -> Minute:
        """Moments that lie in the future, after a clock was set back, are forgotten."""
        slot = int(now // SLOT)
        counts = {at: count for at, count in self.slots if slot - MINUTE / SLOT <= at <= slot}
        if accepted:
            counts[slot] = counts.get(slot, 0) + accepted
        return Minute(tuple(sorted(counts.items())))

    @property
    def total(self) -> int:
        return sum(count for _, count in self.slots)

    def age(self, now: float) -> float:
        """Seconds since the oldest slot began."""
        return max(0.0, now - self.slots[0][0] * SLOT) if self.slots else 0.0

    def rate(self, now: float) -> float:
        """Accepted questions a second, over a minute."""
        return self.total / max(MINUTE, self.age(now))

    def recent(self, now: float) -> float | None:
        """Accepted questions a second, of late: in the last slots, of five to ten seconds; None when there were none."""
        slots = [(at, count) for at, count in self.slots if at >= now // SLOT - 1]
        if not slots:
            return None
        # What is reported was asked within the second before.
        return sum(count for _, count in slots) / (now - slots[0][0] * SLOT + 1.0)

    @property
    def whole(self) -> bool:
        """Whether it was asked all the time, so that its rate is the rate of the minute."""
        return len(self.slots) >= MINUTE / SLOT


@dataclass(frozen=True, slots=True)
class Learned:
    """What a budget has learnt. `rate` is None until a refusal; moments are of the database's clock."""

    rate: float | None = None
    refused: float = 0.0
    """The rate that is too high, as far as it is known: what was refused, or what a minute took at most."""
    step: float = 0.0
    """Requests a second by which it rises in a minute."""
    epoch: int = 0
    """Grows with each lesson."""
    refusals: int = 0
    """All that were reported, whether they taught anything or not."""
    accepted: int = 0
    """Questions accepted since the last lesson, of those sent after it."""
    in_a_row: int = 0
    changed_at: float = 0.0
    paused_until: float = 0.0

    @property
    def unproven(self) -> bool:
        """Nothing that was sent under the last lesson was accepted yet."""
        return self.in_a_row > 0 and self.accepted == 0

    def lower(self, base: float, minute: Minute, now: float) -> Learned:
        """`base` is the rate that was refused, as far as it was used."""
        again = self.unproven
        limit, step = self.refused if again else base, MEASURED_RAISE
        if again or minute.whole:
            limit = min(limit, minute.rate(now))
            rate = MINUTE_FACTOR * limit
        elif self.rate is not None and self.accepted > HELD_SECONDS * self.rate:
            rate = RISEN_FACTOR * base
        else:
            rate, step = BURST_FACTOR * base, GUESSED_RAISE
        rate = max(rate, min(SLOWEST, base))
        in_a_row = self.in_a_row + 1 if again else 1
        return replace(
            self,
            rate=rate,
            refused=max(limit, rate),
            step=max(step * rate, LEAST_RAISE_PER_MINUTE),
            epoch=self.epoch + 1,
            accepted=0,
            in_a_row=in_a_row,
            changed_at=now,
            paused_until=now + self._pause(in_a_row, minute, now),
        )

    def rise(self, minute: Minute, now: float, ceiling: float) -> Learned:
        """Let time do its work; at the ceiling there is nothing left to know."""
        if self.rate is None:
            return self
        minutes = max(0.0, now - max(self.changed_at, self.paused_until)) / MINUTE
        step = self.step
        if minute.rate(now) > RISEN * self.refused:
            step = max(step, RISEN_RAISE * self.rate)
        rate = self.rate + step * minutes
        if minutes > IDLE_MINUTES:
            rate = min(rate, max(self.rate, self.refused))
        if rate >= ceiling:
            return replace(self, rate=None, refused=0.0, step=0.0, in_a_row=0, changed_at=now)
        return replace(self, rate=rate, changed_at=now)

    def stay(self, now: float) -> Learned:
        """No use for more: this time does not count."""
        return replace(self, changed_at=now)

    @staticmethod
    def _pause(in_a_row: int, minute: Minute, now: float) -> float:
        """A second; in a row, until the minute that is full moves on, and twice as long each time."""
        if in_a_row == 1:
            return FIRST_PAUSE
        moves_on = MINUTE + SLOT - minute.age(now) if minute.slots else 0.0
        return min(LONGEST_PAUSE, max(FIRST_PAUSE * 2.0 ** (in_a_row - 1), moves_on))
