"""What a budget learns from refusals, and how it forgets. Pure.

Down at once: the first refusal is taken for the burst limit and costs 30 % of what was used. When the very next question
is refused too, it is the quota of the minute: then what was accepted within the last minute is the limit, and a twentieth
is left free. A rate that was learnt rises slowly, so when it is refused it was only just too high, and costs 10 %. Up: a
twentieth a minute of what the refusal left, as long as there is a use for more. A refusal counts only against the rate
under which its question was sent (`epoch`): those still under way say nothing new.
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
RAISE_PER_MINUTE = 0.05
LEAST_RAISE_PER_MINUTE = 0.02
LONGEST_RAISE_MINUTES = 20.0
"""Idle time lets a budget forget no more than twenty minutes of use would: at most to twice what it was."""

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
    """The rate at the first of the last refusals in a row."""
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

    def lower(self, base: float, minute: Minute, now: float) -> Learned:
        """`base` is the rate that was refused, as far as it was used."""
        again = self.in_a_row > 0 and self.accepted == 0
        refused = self.refused if again else base
        if again or minute.whole:
            rate = MINUTE_FACTOR * min(refused, minute.rate(now))
        elif self.rate is not None and self.accepted > HELD_SECONDS * self.rate:
            rate = RISEN_FACTOR * base
        else:
            rate = BURST_FACTOR * base
        rate = max(rate, min(SLOWEST, base))
        in_a_row = self.in_a_row + 1 if again else 1
        return replace(
            self,
            rate=rate,
            refused=refused,
            step=max(RAISE_PER_MINUTE * rate, LEAST_RAISE_PER_MINUTE),
            epoch=self.epoch + 1,
            accepted=0,
            in_a_row=in_a_row,
            changed_at=now,
            paused_until=now + self._pause(in_a_row, minute, now),
        )

    def rise(self, now: float, ceiling: float) -> Learned:
        """Let time do its work; at the ceiling there is nothing left to know."""
        if self.rate is None:
            return self
        minutes = min(max(0.0, now - max(self.changed_at, self.paused_until)) / MINUTE, LONGEST_RAISE_MINUTES)
        rate = self.rate + self.step * minutes
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
