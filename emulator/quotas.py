"""Quotas: who has asked how much, and which refusal that earns.

Google refuses short bursts and full minutes as rate, expensive reading as load, and spent days as daily; each with
other words. Refused calls are not counted. Limits that a configuration does not give do not exist;
`documented_quotas` in `config` gives those that Google publishes. Every window keeps a running sum, so a call costs the same however long the minute is.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from emulator import errors
from emulator.config import Account, Config, Property, Quota
from emulator.errors import ApiError
from emulator.query import Query

LOAD_WINDOW = 600.0
MINUTE = 60.0
SECOND = 1.0
HEAVY = 3


def load_units(query: Query) -> int:
    """What a query costs: its days, three times as much when both pages and queries are looked at."""
    looked_at = {*query.dimensions, *(item.dimension for item in query.filters)}
    days = (query.end - query.start).days + 1
    return days * (HEAVY if {"page", "query"} <= looked_at else 1)


@dataclass(slots=True)
class Window:
    """What was counted within the last so many seconds."""

    seconds: float
    total: int = 0
    counted: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, amount: int, elapsed: float) -> None:
        self.counted.append((elapsed, amount))
        self.total += amount

    def sum(self, elapsed: float) -> int:
        """What is left of it now."""
        while self.counted and self.counted[0][0] <= elapsed - self.seconds:
            self.total -= self.counted.popleft()[1]
        return self.total


@dataclass(slots=True)
class Meter:
    """One property, identity or project: its windows and its day."""

    second: Window = field(default_factory=lambda: Window(SECOND))
    minute: Window = field(default_factory=lambda: Window(MINUTE))
    load: Window = field(default_factory=lambda: Window(LOAD_WINDOW))
    day: date = date.min
    day_calls: int = 0
    day_units: int = 0

    def turn(self, today: date) -> None:
        """Begin a new day when there is one."""
        if self.day != today:
            self.day, self.day_calls, self.day_units = today, 0, 0

    def refusal(
        self, quota: Quota, units: int, elapsed: float, rate_error: Callable[[], ApiError]
    ) -> ApiError | None:
        if quota.per_day is not None and self.day_calls >= quota.per_day:
            return errors.daily_limit()
        if quota.load_per_day is not None and self.day_units + units > quota.load_per_day:
            return errors.load_quota()
        load = quota.load_per_10_minutes
        if load is not None and self.load.sum(elapsed) + units > load:
            return errors.load_quota()
        for limit, window in ((quota.per_second, self.second), (quota.per_minute, self.minute)):
            if limit is not None and window.sum(elapsed) >= limit:
                return rate_error()
        return None

    def count(self, quota: Quota, units: int, elapsed: float) -> None:
        """Windows that nothing limits are not kept: they would only grow."""
        if quota.per_second is not None:
            self.second.add(1, elapsed)
        if quota.per_minute is not None:
            self.minute.add(1, elapsed)
        if quota.load_per_10_minutes is not None:
            self.load.add(units, elapsed)
        self.day_calls += 1
        self.day_units += units


class Quotas:
    """The meters of everybody."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._meters: defaultdict[str, Meter] = defaultdict(Meter)

    def admit(
        self, account: Account, prop: Property, query: Query, elapsed: float, today: date
    ) -> ApiError | None:
        """Count a call, or say why it is refused."""
        units = load_units(query)
        accounts = self._config.account_quota if account.quota is None else account.quota
        properties = self._config.property_quota if prop.quota is None else prop.quota
        keepers: list[tuple[str, Quota, Callable[[], ApiError]]] = [
            (f"property {prop.url}", properties, errors.rate_quota),
            (f"account {account.name}", accounts, lambda: self._rate("userRateLimitExceeded")),
            (
                f"project {account.project}",
                self._config.project_quota,
                lambda: self._rate("rateLimitExceeded"),
            ),
        ]
        for key, quota, rate_error in keepers:
            meter = self._meters[key]
            meter.turn(today)
            if refusal := meter.refusal(quota, units, elapsed, rate_error):
                return refusal
        for key, quota, _ in keepers:
            self._meters[key].count(quota, units, elapsed)
        return None

    def admit_inspection(self, prop: Property, elapsed: float, today: date) -> ApiError | None:
        """The same for URL inspection, which has limits of its own and shares none with search analytics."""
        meter = self._meters[f"inspection {prop.url}"]
        meter.turn(today)
        quota = self._config.inspection_quota
        refusal = meter.refusal(quota, 1, elapsed, errors.rate_quota)
        if refusal is None:
            meter.count(quota, 1, elapsed)
        return refusal

    def _rate(self, reason: str) -> ApiError:
        if self._config.quota_status == 429:
            return errors.too_many_requests("1")
        return errors.rate_limit(reason)
