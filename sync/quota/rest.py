"""The rest of a budget that Google refused for more than its rate: load of a property, the day of a project. Pure.

Load comes back after the cool-down. When the first question after it is refused as well, the load of the whole day is
spent, and the property rests until midnight in California, as a project does whose daily quota is spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sync.plan.windows import next_pacific_midnight

LONGEST_REST = 26 * 3600.0
"""The longest day in California has 25 hours."""

REMEMBERED_SECONDS = 3600.0
"""A load refusal that long after the end of a rest is a first one again."""


class Spent(StrEnum):
    """What is spent."""

    LOAD = "load"
    DAILY_LOAD = "daily load"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing may be asked until then, in the database's time. It is remembered for a while after its end."""

    spent: Spent
    until: float

    def after(self, accepted: int, now: float) -> Rest | None:
        """What is left to remember once questions were accepted, or time went by."""
        if self.until > now:
            return self
        return None if accepted or now - self.until > REMEMBERED_SECONDS else self

    def seconds(self, now: float) -> float:
        return max(0.0, self.until - now)


@dataclass(frozen=True, slots=True)
class Refused:
    """What a refusal says: what is spent, and for how many seconds at least."""

    spent: Spent
    seconds: float

    def since(self, known: Rest | None, now: float) -> Rest:
        """The rest that begins now. A refusal of a question that was under way prolongs none that has begun."""
        midnight = next_pacific_midnight(datetime.fromtimestamp(now, UTC)).timestamp()
        if self.spent is Spent.DAILY:
            return Rest(Spent.DAILY, midnight)
        if known is not None and known.until > now:
            return known
        if known is not None and known.spent is Spent.LOAD:
            return Rest(Spent.DAILY_LOAD, midnight)
        return Rest(Spent.LOAD, now + min(self.seconds, LONGEST_REST))
