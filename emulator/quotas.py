"""Quotas: who has asked how much, and which refusal that earns.

Google refuses short bursts and full minutes as rate, expensive reading as load, and spent days as daily; each with
other words. Refused calls are not counted. Limits that a configuration does not give do not exist.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from datetime import date

from emulator import errors
from emulator.config import Account, Config, Property, Quota
from emulator.errors import ApiError
from emulator.query import Query

LOAD_WINDOW = 600.0
MINUTE = 60.0
HEAVY = 3


def load_units(query: Query) -> int:
    """What a query costs: its days, three times as much when both pages and queries are looked at."""
    looked_at = {*query.dimensions, *(item.dimension for item in query.filters)}
    days = (query.end - query.start).days + 1
    return days * (HEAVY if {"page", "query"} <= looked_at else 1)


class Quotas:
    """Keeps the calls of the last minutes and the sums of the day, per property, identity and project."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._calls: defaultdict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._days: defaultdict[str, tuple[date, int, int]] = defaultdict(lambda: (date.min, 0, 0))

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
            if refusal := self._refusal(key, quota, units, elapsed, today, rate_error):
                return refusal
        for key, _, _ in keepers:
            self._calls[key].append((elapsed, units))
            _, calls, spent = self._day(key, today)
            self._days[key] = (today, calls + 1, spent + units)
        return None

    def _rate(self, reason: str) -> ApiError:
        if self._config.quota_status == 429:
            return errors.too_many_requests("1")
        return errors.rate_limit(reason)

    def _day(self, key: str, today: date) -> tuple[date, int, int]:
        kept = self._days[key]
        return kept if kept[0] == today else (today, 0, 0)

    def _refusal(
        self,
        key: str,
        quota: Quota,
        units: int,
        elapsed: float,
        today: date,
        rate_error: Callable[[], ApiError],
    ) -> ApiError | None:
        calls = self._calls[key]
        while calls and calls[0][0] <= elapsed - LOAD_WINDOW:
            calls.popleft()
        _, day_calls, day_units = self._day(key, today)
        if quota.per_day is not None and day_calls >= quota.per_day:
            return errors.daily_limit()
        if quota.load_per_day is not None and day_units + units > quota.load_per_day:
            return errors.load_quota()
        load = quota.load_per_10_minutes
        if load is not None and sum(spent for _, spent in calls) + units > load:
            return errors.load_quota()
        for limit, window in ((quota.per_second, 1.0), (quota.per_minute, MINUTE)):
            if limit is not None and self._recent(calls, elapsed - window, limit) >= limit:
                return rate_error()
        return None

    @staticmethod
    def _recent(calls: deque[tuple[float, int]], since: float, limit: int) -> int:
        count = 0
        for moment, _ in reversed(calls):
            if moment <= since or count >= limit:
                break
            count += 1
        return count
